internal import CCUDA
internal import CPosix
internal import ClientRuntime
internal import WireProtocol

/// One end of a copy.
enum CopyEnd {
    case host(UnsafeMutableRawPointer)
    case device(UInt64)
}

/// The rows and slices of one end, in bytes.
struct CopyPlane {
    var end: CopyEnd
    var pitch: Int
    var slicePitch: Int
}

extension CUDADriver {
    /// Where an address lives. Pinned memory belongs to the host until the device has seen it.
    static func end(of address: UInt64, _ target: CallTarget) -> CopyEnd? {
        if let device = device(containing: address) {
            if let block = device.memory.block(containing: address) {
                let isHostOnly =
                    block.kind == MemoryKind.host.rawValue && block.flags & HostMemory.mirroredFlag == 0
                guard isHostOnly else { return .device(address) }
            } else {
                return device.memory.holdsModule(address) ? .device(address) : nil
            }
        }
        guard let pointer = UnsafeMutableRawPointer(bitPattern: UInt(address)) else { return nil }
        return .host(pointer)
    }

    /// Whether the device has all of a range. Pinned memory in it becomes visible to the device.
    static func isDeviceRange(_ address: UInt64, _ byteCount: UInt64, _ target: CallTarget) -> Bool {
        guard let device = device(containing: address) else { return false }
        guard let block = device.memory.block(containing: address) else {
            // A module's variable; the worker knows its end.
            return device.memory.holdsModule(address)
        }
        if block.kind == MemoryKind.host.rawValue { mirrorPinned(address, target) }
        return byteCount <= block.requestedByteCount &- min(block.requestedByteCount, address &- block.address)
    }

    /// Copies a run of bytes.
    static func copy(
        to destination: CopyEnd, from source: CopyEnd, _ byteCount: Int, stream: UInt64, _ target: CallTarget
    ) -> CUresult {
        guard byteCount > 0 else { return byteCount == 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE }
        let destination = destination.settled(byteCount)
        let source = source.settled(byteCount)
        if Session.devices.count > 1, let box = Box(width: byteCount, height: 1, depth: 1) {
            let to = CopyPlane(end: destination, pitch: byteCount, slicePitch: byteCount)
            let from = CopyPlane(end: source, pitch: byteCount, slicePitch: byteCount)
            if let status = Peers.copy(to: to, from: from, box, stream: stream, target) { return status }
        }
        if Captures.areActive, let box = Box(width: byteCount, height: 1, depth: 1) {
            let to = CopyPlane(end: destination, pitch: byteCount, slicePitch: byteCount)
            let from = CopyPlane(end: source, pitch: byteCount, slicePitch: byteCount)
            if let captured = captured(to: to, from: from, box, stream: stream, target) { return captured }
        }
        if Mirrors.areNeeded { Mirrors.sendChanges(target, stream: stream, writes: .to(destination, byteCount)) }
        if Downloads.areAny {
            let status = settle(destination, source, byteCount, target)
            guard status == CUDA_SUCCESS else { return status }
        }
        switch (destination, source) {
        case (.host(let to), .host(let from)):
            memmove(to, from, byteCount)
            return CUDA_SUCCESS
        case (.device(let to), .host(let from)):
            guard isDeviceRange(to, UInt64(byteCount), target) else { return CUDA_ERROR_INVALID_VALUE }
            return target.send(
                CopyHostToDevice(bulkByteCount: UInt64(byteCount), address: to, stream: stream),
                bulk: UnsafeRawBufferPointer(start: from, count: byteCount))
        case (.host(let to), .device(let from)):
            guard isDeviceRange(from, UInt64(byteCount), target) else { return CUDA_ERROR_INVALID_VALUE }
            if target.isQueued, let place = mirroredAddress(of: to) {
                return copy(to: .device(place), from: source, byteCount, stream: stream, target)
            }
            return download(to, from, byteCount, stream: stream, target)
        case (.device(let to), .device(let from)):
            guard isDeviceRange(to, UInt64(byteCount), target), isDeviceRange(from, UInt64(byteCount), target) else {
                return CUDA_ERROR_INVALID_VALUE
            }
            let count = UInt64(byteCount)
            return target.send(
                CopyDeviceToDevice3D(
                    destination: to, destinationPitch: count, destinationSlicePitch: count, source: from,
                    sourcePitch: count, sourceSlicePitch: count, width: count, height: 1, depth: 1, stream: stream))
        }
    }

    /// Before the host's bytes are touched now: what was to come to them earlier, comes.
    private static func settle(
        _ destination: CopyEnd, _ source: CopyEnd, _ byteCount: Int, _ target: CallTarget
    ) -> CUresult {
        var mustWait = false
        if case .host(let from) = source { mustWait = Downloads.overlap(from, byteCount) }
        if case .host(let to) = destination, !mustWait { mustWait = Downloads.overlap(to, byteCount) }
        // A later download to the same place comes later anyway.
        if case .device = source, target.isQueued { mustWait = false }
        return mustWait ? synchronize(target) : CUDA_SUCCESS
    }

    /// Copies bytes to the host: in the background to pinned memory, with a wait to any other.
    private static func download(
        _ to: UnsafeMutableRawPointer, _ from: UInt64, _ byteCount: Int, stream: UInt64, _ target: CallTarget
    ) -> CUresult {
        if target.isQueued, let box = Box(width: byteCount, height: 1, depth: 1) {
            let there = CopyPlane(end: .host(to), pitch: byteCount, slicePitch: byteCount)
            let here = CopyPlane(end: .device(from), pitch: byteCount, slicePitch: byteCount)
            let started = Downloads.start(to: there, from: here, box, stream: stream, target)
            if let started { return started }
        }
        if Downloads.overlap(to, byteCount) {
            let status = synchronize(target)
            guard status == CUDA_SUCCESS else { return status }
        }
        var reply = CopyDeviceToHost.Reply()
        let status = target.call(
            CopyDeviceToHost(address: from, byteCount: UInt64(byteCount), stream: stream), &reply,
            into: UnsafeMutableRawBufferPointer(start: to, count: byteCount))
        if status == CUDA_SUCCESS { target.lane.noteIdle(stream: stream, context: target.context.pointee.id) }
        return status
    }

    /// Copies a box of bytes.
    static func copy(
        to destination: CopyPlane, from source: CopyPlane, _ box: Box, stream: UInt64, _ target: CallTarget
    ) -> CUresult {
        guard box.byteCount > 0 else { return CUDA_SUCCESS }
        if box.height == 1, box.depth == 1 {
            return copy(to: destination.end, from: source.end, box.width, stream: stream, target)
        }
        var destination = destination
        var source = source
        destination.end = destination.end.settled(box.span(of: destination))
        source.end = source.end.settled(box.span(of: source))
        if Session.devices.count > 1,
            let status = Peers.copy(to: destination, from: source, box, stream: stream, target)
        {
            return status
        }
        if Captures.areActive, let captured = captured(to: destination, from: source, box, stream: stream, target) {
            return captured
        }
        if Mirrors.areNeeded {
            Mirrors.sendChanges(target, stream: stream, writes: .to(destination.end, box.span(of: destination)))
        }
        if Downloads.areAny {
            let status = settle(
                destination.end, source.end, max(box.span(of: destination) ?? 0, box.span(of: source) ?? 0), target)
            guard status == CUDA_SUCCESS else { return status }
        }
        switch (destination.end, source.end) {
        case (.host(let to), .host(let from)):
            box.copyRows(to: to, destination.pitch, destination.slicePitch, from: from, source.pitch, source.slicePitch)
            return CUDA_SUCCESS
        case (.device(let to), .host(let from)): return target.upload(to, destination, from, source, box, stream)
        case (.host(let to), .device(let from)):
            if target.isQueued, let place = mirroredAddress(of: to) {
                var plane = destination
                plane.end = .device(place)
                return copy(to: plane, from: source, box, stream: stream, target)
            }
            if target.isQueued,
                let started = Downloads.start(to: destination, from: source, box, stream: stream, target)
            {
                return started
            }
            return target.download(to, destination, from, source, box, stream)
        case (.device(let to), .device(let from)):
            return target.send(
                CopyDeviceToDevice3D(
                    destination: to, destinationPitch: UInt64(destination.pitch),
                    destinationSlicePitch: UInt64(destination.slicePitch), source: from,
                    sourcePitch: UInt64(source.pitch), sourceSlicePitch: UInt64(source.slicePitch),
                    width: UInt64(box.width), height: UInt64(box.height), depth: UInt64(box.depth), stream: stream))
        }
    }
}

extension CUDADriver {
    /// Makes a copy in a captured stream a node. Nil when the stream is not captured.
    private static func captured(
        to destination: CopyPlane, from source: CopyPlane, _ box: Box, stream: UInt64, _ target: CallTarget
    ) -> CUresult? {
        Captures.add(to: stream, target) {
            .copy(CopyWork(to: .plane(destination), from: .plane(source), box, context: target.context))
        }
    }
}

extension CallTarget {
    fileprivate func upload(
        _ to: UInt64, _ destination: CopyPlane, _ from: UnsafeMutableRawPointer, _ source: CopyPlane, _ box: Box,
        _ stream: UInt64
    ) -> CUresult {
        let command = CopyHostToDevice3D(
            bulkByteCount: UInt64(box.byteCount), address: to, pitch: UInt64(destination.pitch),
            slicePitch: UInt64(destination.slicePitch), width: UInt64(box.width), height: UInt64(box.height),
            depth: UInt64(box.depth), stream: stream)
        if box.isDense(source) {
            return send(command, bulk: UnsafeRawBufferPointer(start: from, count: box.byteCount))
        }
        guard let packed = malloc(box.byteCount) else { return CUDA_ERROR_OUT_OF_MEMORY }
        defer { CPosix.free(packed) }
        box.copyRows(to: packed, box.width, box.width &* box.height, from: from, source.pitch, source.slicePitch)
        return send(command, bulk: UnsafeRawBufferPointer(start: packed, count: box.byteCount))
    }

    fileprivate func download(
        _ to: UnsafeMutableRawPointer, _ destination: CopyPlane, _ from: UInt64, _ source: CopyPlane, _ box: Box,
        _ stream: UInt64
    ) -> CUresult {
        let command = CopyDeviceToHost3D(
            address: from, pitch: UInt64(source.pitch), slicePitch: UInt64(source.slicePitch),
            width: UInt64(box.width), height: UInt64(box.height), depth: UInt64(box.depth), stream: stream)
        var reply = CopyDeviceToHost3D.Reply()
        if box.isDense(destination) {
            return call(
                command, &reply, into: UnsafeMutableRawBufferPointer(start: to, count: box.byteCount))
        }
        guard let packed = malloc(box.byteCount) else { return CUDA_ERROR_OUT_OF_MEMORY }
        defer { CPosix.free(packed) }
        let status = call(
            command, &reply, into: UnsafeMutableRawBufferPointer(start: packed, count: box.byteCount))
        if status == CUDA_SUCCESS {
            box.copyRows(
                to: to, destination.pitch, destination.slicePitch, from: packed, box.width, box.width &* box.height)
        }
        return status
    }
}

/// The size of a copied box, in bytes, rows and slices.
struct Box {
    let width: Int
    let height: Int
    let depth: Int
    let byteCount: Int

    /// Nil when a size is negative, or too large to be copied.
    init?(width: Int, height: Int, depth: Int) {
        guard width >= 0, height >= 0, depth >= 0 else { return nil }
        let (plane, overflowPlane) = width.multipliedReportingOverflow(by: height)
        let (all, overflow) = plane.multipliedReportingOverflow(by: depth)
        guard !overflow, !overflowPlane, all <= 1 << 40 else { return nil }
        self.width = width
        self.height = height
        self.depth = depth
        byteCount = all
    }

    /// Whether a plane has no gaps between the box's rows and slices.
    func isDense(_ plane: CopyPlane) -> Bool {
        plane.pitch == width && (depth == 1 || plane.slicePitch == width &* height)
    }

    func copyRows(
        to destination: UnsafeMutableRawPointer, _ destinationPitch: Int, _ destinationSlicePitch: Int,
        from source: UnsafeMutableRawPointer, _ sourcePitch: Int, _ sourceSlicePitch: Int
    ) {
        for slice in 0..<depth {
            for row in 0..<height {
                CPosix.memcpy(
                    destination + (slice &* destinationSlicePitch &+ row &* destinationPitch),
                    source + (slice &* sourceSlicePitch &+ row &* sourcePitch), width)
            }
        }
    }
}
