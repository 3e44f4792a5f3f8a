import GPUBackend
import WireProtocol

/// A copy to the host whose bytes the client has not fetched.
struct WorkerDownload {
    var buffer: DownloadBuffer
    var context: WorkerContext
}

extension LaneHandler {
    func download(_ command: Download) throws(CommandError) {
        let box = MemoryBox(
            address: command.address, pitch: command.pitch, slicePitch: command.slicePitch, width: command.width,
            height: command.height, depth: command.depth)
        let stream = try stream(command.stream)
        let context = try context()
        guard let byteCount = box.byteCount, box.spanByteCount != nil else { throw .invalidValue }
        let limits = session.limits
        let buffer = try session.withState { state throws(CommandError) in
            guard state.downloads[command.download] == nil else { throw .invalidValue }
            guard state.downloads.count < limits.downloadCount,
                byteCount <= limits.downloadByteCount - state.downloadByteCount,
                let buffer = DownloadBuffer(byteCount: Int(byteCount))
            else { throw .tooManyObjects }
            state.downloads[command.download] = WorkerDownload(buffer: buffer, context: context)
            state.downloadByteCount += byteCount
            return buffer
        }
        do throws(BackendError) {
            try stream.download(box, into: buffer)
        } catch {
            buffer.finish(isFilled: false)
            throw CommandError(error)
        }
    }

    func downloadCollect(
        _ command: DownloadCollect, _ reply: inout DownloadCollect.Reply, _ sink: BulkSink
    ) throws(CommandError) {
        try wait(command)
        let (finished, rest) = session.takeDownloads()
        // A count of the finished ones and one of the others; then id and bytes of each, the bytes of which follow.
        var words = [UInt64(finished.count), UInt64(rest.count)]
        var byteCount: UInt64 = 0
        for (id, download) in finished {
            let count = download.buffer.isFilled ? UInt64(download.buffer.bytes.count) : 0
            byteCount += count
            words += [id, count]
        }
        words += rest
        sink.promise(byteCount + UInt64(words.count) * 8)
        guard words.withUnsafeBytes({ sink.send($0) }) else { return }
        for (_, download) in finished where download.buffer.isFilled && download.buffer.bytes.count > 0 {
            guard sink.send(UnsafeRawBufferPointer(download.buffer.bytes)) else { return }
        }
    }

    private func wait(_ command: DownloadCollect) throws(CommandError) {
        switch command.kind {
        case 0: break
        case 1:
            let context = try context()
            try translating { () throws(BackendError) in try context.backend.synchronize() }
        case 2:
            let stream = try stream(command.object)
            try translating { () throws(BackendError) in try stream.synchronize() }
        case 3:
            let event = try event(command.object)
            try translating { () throws(BackendError) in try event.synchronize() }
        case 4:
            let stream = try stream(command.object)
            guard try translating({ () throws(BackendError) in try stream.isIdle() }) else {
                throw CommandError(BackendStatus.notReady)
            }
        case 5:
            let event = try event(command.object)
            guard try translating({ () throws(BackendError) in try event.isComplete() }) else {
                throw CommandError(BackendStatus.notReady)
            }
        default: throw .invalidValue
        }
    }
}

extension WorkerSession {
    /// Takes the downloads out that are over, oldest first, and names the others.
    fileprivate func takeDownloads() -> (finished: [(UInt64, WorkerDownload)], rest: [UInt64]) {
        // Outside of the lock: to look may ask the device.
        for buffer in withTables({ $0.downloads.values.map(\.buffer) }) { buffer.poll() }
        return withTables { state in
            var finished: [(UInt64, WorkerDownload)] = []
            var rest: [UInt64] = []
            for id in state.downloads.keys.sorted() {
                guard let download = state.downloads[id] else { continue }
                guard download.buffer.isFinished else {
                    rest.append(id)
                    continue
                }
                finished.append((id, download))
                state.downloads[id] = nil
                state.downloadByteCount -= UInt64(download.buffer.bytes.count)
            }
            return (finished, rest)
        }
    }

    /// Forgets the downloads of a context that ends.
    func endDownloads(of context: WorkerContext) {
        withTables { state in
            for (id, download) in state.downloads where download.context === context {
                state.downloads[id] = nil
                state.downloadByteCount -= UInt64(download.buffer.bytes.count)
            }
        }
    }
}
