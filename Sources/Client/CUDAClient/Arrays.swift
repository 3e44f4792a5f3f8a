internal import CCUDA
internal import CPosix
internal import ClientRuntime
internal import Primitives
internal import WireProtocol

/// An array, a mipmapped one, or a level of one, as the client knows it.
final class ArrayRecord {
    let shape: ArrayShape
    /// What the worker calls the array, or the mipmapped array that this is a level of.
    let id: UInt64
    let level: UInt32
    /// Whether a mipmapped array owns this one.
    let isLevel: Bool
    let device: Int32
    /// Handles of the levels that were asked for.
    var levels: [UInt]

    init(shape: ArrayShape, id: UInt64, level: UInt32, isLevel: Bool, device: Int32) {
        self.shape = shape
        self.id = id
        self.level = level
        self.isLevel = isLevel
        self.device = device
        levels = isLevel || shape.levelCount == 1 ? [] : [UInt](repeating: 0, count: Int(shape.levelCount))
    }

    /// Bytes of a texel.
    var texelByteCount: Int { shape.texel?.byteCount ?? 1 }

    /// Sizes in bytes, rows and slices.
    var extent: (width: UInt64, height: UInt64, depth: UInt64) {
        let size = shape.extent(level: level)
        return (size.width &* UInt64(texelByteCount), size.height, size.depth)
    }
}

/// One end of a copy with an array.
enum ArrayCopyEnd {
    case array(ArrayPlace)
    case plane(CopyPlane)

    /// The plane in the host's memory, if it is one.
    var hostPlane: (plane: CopyPlane, start: UnsafeMutableRawPointer)? {
        guard case .plane(let plane) = self, case .host(let start) = plane.end else { return nil }
        return (plane, start)
    }

    var isArray: Bool { if case .array = self { true } else { false } }
}

/// A corner in an array; x in bytes.
struct ArrayPlace: Equatable {
    /// The array, or the level of a mipmapped one, as the program named it.
    var handle: CUarray?
    var array: UInt64
    var level: UInt32
    var x: UInt64
    var y: UInt64
    var z: UInt64
}

extension CUDADriver {
    /// The record of an array's handle.
    static func array(_ handle: CUarray?) -> ArrayRecord? { object(handle, .array, as: ArrayRecord.self) }

    /// The record of a mipmapped array's handle.
    static func mipmappedArray(_ handle: CUmipmappedArray?) -> ArrayRecord? {
        object(handle, .mipmappedArray, as: ArrayRecord.self)
    }

    /// A corner of an array, if the box there is inside it.
    static func place(
        in handle: CUarray?, x: Int, y: Int, z: Int, _ box: (width: Int, height: Int, depth: Int)
    ) -> (CUresult, ArrayPlace?) {
        guard let record = array(handle) else { return (CUDA_ERROR_INVALID_HANDLE, nil) }
        let size = record.extent
        guard fits(x, box.width, size.width), fits(y, box.height, size.height), fits(z, box.depth, size.depth),
            x % record.texelByteCount == 0, box.width % record.texelByteCount == 0
        else { return (CUDA_ERROR_INVALID_VALUE, nil) }
        let place = ArrayPlace(
            handle: handle, array: record.id, level: record.level, x: UInt64(x), y: UInt64(y), z: UInt64(z))
        return (CUDA_SUCCESS, place)
    }

    private static func fits(_ start: Int, _ count: Int, _ limit: UInt64) -> Bool {
        start >= 0 && count >= 0 && UInt64(start) <= limit && UInt64(count) <= limit &- UInt64(start)
    }

    /// Copies a box with an array at one end or at both.
    static func copy(
        to destination: ArrayCopyEnd, from source: ArrayCopyEnd, _ box: Box, stream: UInt64, _ target: CallTarget
    ) -> CUresult {
        guard box.byteCount > 0 else { return CUDA_SUCCESS }
        if Captures.areActive {
            let captured = Captures.add(to: stream, target) {
                .copy(CopyWork(to: destination, from: source, box, context: target.context))
            }
            if let captured { return captured }
        }
        let destination = destination.settled(box)
        let source = source.settled(box)
        if Mirrors.areNeeded { Mirrors.sendChanges(target, stream: stream, writes: destination.writes(box)) }
        switch (destination, source) {
        case (.array(let to), .array(let from)):
            return target.send(
                CopyArrayToArray(
                    destination: to.array, destinationLevel: to.level, destinationX: to.x, destinationY: to.y,
                    destinationZ: to.z, source: from.array, sourceLevel: from.level, sourceX: from.x,
                    sourceY: from.y, sourceZ: from.z, width: UInt64(box.width), height: UInt64(box.height),
                    depth: UInt64(box.depth), stream: stream))
        case (.array(let to), .plane(let from)):
            if case .host(let pointer) = from.end { return target.upload(to, pointer, from, box, stream) }
            guard case .device(let address) = from.end else { return CUDA_ERROR_INVALID_VALUE }
            return target.send(
                CopyDeviceToArray(
                    array: to.array, level: to.level, x: to.x, y: to.y, z: to.z, address: address,
                    pitch: UInt64(from.pitch), slicePitch: UInt64(from.slicePitch), width: UInt64(box.width),
                    height: UInt64(box.height), depth: UInt64(box.depth), stream: stream))
        case (.plane(let to), .array(let from)):
            if case .host(let pointer) = to.end { return target.download(pointer, to, from, box, stream) }
            guard case .device(let address) = to.end else { return CUDA_ERROR_INVALID_VALUE }
            return target.send(
                CopyArrayToDevice(
                    array: from.array, level: from.level, x: from.x, y: from.y, z: from.z, address: address,
                    pitch: UInt64(to.pitch), slicePitch: UInt64(to.slicePitch), width: UInt64(box.width),
                    height: UInt64(box.height), depth: UInt64(box.depth), stream: stream))
        case (.plane(let to), .plane(let from)):
            return copy(to: to, from: from, box, stream: stream, target)
        }
    }

    /// What a request with an array at one end or at both means.
    static func planArrayCopy(
        _ request: CUDA_MEMCPY3D, _ target: CallTarget
    ) -> (CUresult, (to: ArrayCopyEnd, from: ArrayCopyEnd, box: Box)?) {
        guard request.srcLOD == 0, request.dstLOD == 0,
            let box = Box(width: request.WidthInBytes, height: request.Height, depth: request.Depth)
        else { return (CUDA_ERROR_INVALID_VALUE, nil) }
        let (source, destination) = corners(of: request)
        let (sourceStatus, from) = arrayEnd(source, request.srcArray, request, target)
        guard let from else { return (sourceStatus, nil) }
        let (destinationStatus, to) = arrayEnd(destination, request.dstArray, request, target)
        guard let to else { return (destinationStatus, nil) }
        return (CUDA_SUCCESS, (to, from, box))
    }

    private static func arrayEnd(
        _ corner: Corner, _ array: CUarray?, _ request: CUDA_MEMCPY3D, _ target: CallTarget
    ) -> (CUresult, ArrayCopyEnd?) {
        guard corner.type == CU_MEMORYTYPE_ARRAY else {
            let (status, plane) = plane(corner, request, target)
            return (status, plane.map { .plane($0) })
        }
        let (status, place) = place(
            in: array, x: corner.x, y: corner.y, z: corner.z,
            (request.WidthInBytes, request.Height, request.Depth))
        return (status, place.map { .array($0) })
    }

    /// Ends all arrays, textures and surfaces of a context that ends.
    static func endArraysAndTextures(
        of context: UnsafeMutablePointer<ContextState>, _ device: Device, _ lane: Lane?
    ) {
        guard let handleRegion else { return }
        for slot in 1..<max(1, handleRegion.pointee.usedSlotCount) {
            let entry = handleRegion.pointee.entry(slot)
            guard entry.pointee.context == context else { continue }
            let handle = OpaquePointer(bitPattern: handleRegion.pointee.handle(slot))
            if entry.pointee.kind == HandleKind.array.rawValue {
                end(handle, .array, device, lane)
            } else if entry.pointee.kind == HandleKind.mipmappedArray.rawValue {
                end(handle, .mipmappedArray, device, lane)
            } else if entry.pointee.kind == HandleKind.textureReference.rawValue {
                endReference(handle)
            }
        }
        forgetTextures(of: context)
    }

    /// Ends an array's handle and the use of its memory.
    private static func end(_ handle: OpaquePointer?, _ kind: HandleKind, _ device: Device, _ lane: Lane?) {
        let context = entry(handle, kind)?.pointee.context
        guard let pointer = endHandle(handle, kind), let context else { return }
        let record = Unmanaged<ArrayRecord>.fromOpaque(pointer).takeRetainedValue()
        if !record.isLevel { device.memory.discharge(record.shape.byteCount, context: context, lane: lane) }
    }
}

extension ArrayCopyEnd {
    /// Managed memory that is fetched by need as the device's.
    fileprivate func settled(_ box: Box) -> ArrayCopyEnd {
        guard case .plane(var plane) = self else { return self }
        plane.end = plane.end.settled(box.span(of: plane))
        return .plane(plane)
    }

    /// What a copy to this end writes of the device's memory.
    fileprivate func writes(_ box: Box) -> DeviceWrites {
        guard case .plane(let plane) = self else { return .nothing }
        return .to(plane.end, box.span(of: plane))
    }
}

extension CallTarget {
    fileprivate func upload(
        _ to: ArrayPlace, _ from: UnsafeMutableRawPointer, _ source: CopyPlane, _ box: Box, _ stream: UInt64
    ) -> CUresult {
        let command = CopyHostToArray(
            bulkByteCount: UInt64(box.byteCount), array: to.array, level: to.level, x: to.x, y: to.y, z: to.z,
            width: UInt64(box.width), height: UInt64(box.height), depth: UInt64(box.depth), stream: stream)
        if box.isDense(source) {
            return send(command, bulk: UnsafeRawBufferPointer(start: from, count: box.byteCount))
        }
        guard let packed = malloc(box.byteCount) else { return CUDA_ERROR_OUT_OF_MEMORY }
        defer { CPosix.free(packed) }
        box.copyRows(to: packed, box.width, box.width &* box.height, from: from, source.pitch, source.slicePitch)
        return send(command, bulk: UnsafeRawBufferPointer(start: packed, count: box.byteCount))
    }

    fileprivate func download(
        _ to: UnsafeMutableRawPointer, _ destination: CopyPlane, _ from: ArrayPlace, _ box: Box, _ stream: UInt64
    ) -> CUresult {
        let command = CopyArrayToHost(
            array: from.array, level: from.level, x: from.x, y: from.y, z: from.z, width: UInt64(box.width),
            height: UInt64(box.height), depth: UInt64(box.depth), stream: stream)
        var reply = CopyArrayToHost.Reply()
        if box.isDense(destination) {
            return call(command, &reply, into: UnsafeMutableRawBufferPointer(start: to, count: box.byteCount))
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
