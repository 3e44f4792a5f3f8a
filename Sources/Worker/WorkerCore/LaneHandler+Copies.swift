import GPUBackend
import WireProtocol

extension LaneHandler {
    func copyHostToDevice(_ command: CopyHostToDevice, _ bulk: BulkSource) throws(CommandError) {
        try copy(MemoryBox(address: command.address, byteCount: command.bulkByteCount), command.stream, from: bulk)
    }

    func copyHostToDevice3D(_ command: CopyHostToDevice3D, _ bulk: BulkSource) throws(CommandError) {
        let box = MemoryBox(
            address: command.address, pitch: command.pitch, slicePitch: command.slicePitch, width: command.width,
            height: command.height, depth: command.depth)
        guard box.byteCount == command.bulkByteCount else { throw .invalidValue }
        try copy(box, command.stream, from: bulk)
    }

    func copyDeviceToHost(_ command: CopyDeviceToHost, _ reply: inout CopyDeviceToHost.Reply, _ sink: BulkSink)
        throws(CommandError)
    {
        try copy(MemoryBox(address: command.address, byteCount: command.byteCount), command.stream, to: sink)
    }

    func copyDeviceToHost3D(
        _ command: CopyDeviceToHost3D, _ reply: inout CopyDeviceToHost3D.Reply, _ sink: BulkSink
    ) throws(CommandError) {
        let box = MemoryBox(
            address: command.address, pitch: command.pitch, slicePitch: command.slicePitch, width: command.width,
            height: command.height, depth: command.depth)
        try copy(box, command.stream, to: sink)
    }

    func copyDeviceToDevice3D(_ command: CopyDeviceToDevice3D) throws(CommandError) {
        let stream = try stream(command.stream)
        let source = MemoryBox(
            address: command.source, pitch: command.sourcePitch, slicePitch: command.sourceSlicePitch,
            width: command.width, height: command.height, depth: command.depth)
        let destination = MemoryBox(
            address: command.destination, pitch: command.destinationPitch,
            slicePitch: command.destinationSlicePitch, width: command.width, height: command.height,
            depth: command.depth)
        try translating { () throws(BackendError) in try stream.copy(from: source, to: destination) }
    }

    func fill(_ command: Fill) throws(CommandError) {
        let stream = try stream(command.stream)
        let (width, overflow) = command.width.multipliedReportingOverflow(by: UInt64(command.elementByteCount))
        guard !overflow else { throw .invalidValue }
        let box = MemoryBox(
            address: command.address, pitch: command.pitch, slicePitch: 0, width: width, height: command.height,
            depth: 1)
        try translating { () throws(BackendError) in
            try stream.fill(box, elementByteCount: Int(command.elementByteCount), value: command.value)
        }
    }

    func pageFetch(_ command: PageFetch, _ reply: inout PageFetch.Reply, _ sink: BulkSink) throws(CommandError) {
        // A fetch is no call of the program: errors and output are for the next one that is.
        isQuiet = true
        let stream = try stream(StreamID.perThread)
        guard command.byteCount <= WireLimits.bulkByteCountMax else { throw .invalidValue }
        sink.promise(command.byteCount)
        try translating { () throws(BackendError) in
            try stream.peek(MemoryBox(address: command.address, byteCount: command.byteCount)) { sink.send($0) }
        }
    }

    private func copy(_ box: MemoryBox, _ stream: UInt64, from bulk: BulkSource) throws(CommandError) {
        let stream = try self.stream(stream)
        try translating { () throws(BackendError) in
            try stream.copyToDevice(box) { buffer in
                do throws(CommandError) {
                    try bulk.read(into: buffer)
                    return true
                } catch {
                    return false
                }
            }
        }
    }

    private func copy(_ box: MemoryBox, _ stream: UInt64, to sink: BulkSink) throws(CommandError) {
        let stream = try self.stream(stream)
        guard let byteCount = box.byteCount, byteCount <= WireLimits.bulkByteCountMax else { throw .invalidValue }
        sink.promise(byteCount)
        try translating { () throws(BackendError) in try stream.copyFromDevice(box) { sink.send($0) } }
    }
}
