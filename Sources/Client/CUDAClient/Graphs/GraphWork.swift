internal import CCUDA
internal import ClientRuntime
internal import WireProtocol

/// What a node does.
enum GraphWork {
    case kernel(KernelWork)
    case copy(CopyWork)
    case fill(FillWork)
    case host(HostWork)
    case child(Graph)
    case empty
    case eventRecord(EventWork)
    case eventWait(EventWork)
    case memoryOperations(MemoryOperationsWork)
    case allocation(GraphAllocation)
    case release(UInt64)
    case conditional(ConditionalWork)
    /// A command of a captured stream that has no type of node to itself.
    case command(CommandWork)

    var type: CUgraphNodeType {
        switch self {
        case .kernel: CU_GRAPH_NODE_TYPE_KERNEL
        case .copy: CU_GRAPH_NODE_TYPE_MEMCPY
        case .fill: CU_GRAPH_NODE_TYPE_MEMSET
        case .host: CU_GRAPH_NODE_TYPE_HOST
        case .child: CU_GRAPH_NODE_TYPE_GRAPH
        case .empty: CU_GRAPH_NODE_TYPE_EMPTY
        case .eventRecord: CU_GRAPH_NODE_TYPE_EVENT_RECORD
        case .eventWait: CU_GRAPH_NODE_TYPE_WAIT_EVENT
        case .memoryOperations: CU_GRAPH_NODE_TYPE_BATCH_MEM_OP
        case .allocation: CU_GRAPH_NODE_TYPE_MEM_ALLOC
        case .release: CU_GRAPH_NODE_TYPE_MEM_FREE
        case .conditional: CU_GRAPH_NODE_TYPE_CONDITIONAL
        case .command(let command): command.type
        }
    }
}

/// A launch with a snapshot of its arguments, which `cuGraphKernelNodeGetParams` shows the program.
final class KernelWork {
    let function: UnsafeMutablePointer<FunctionRecord>
    /// The kernel of a library that the program named, if it did.
    let kernel: CUkernel?
    let shape: LaunchShape
    let bytes: UnsafeMutableRawBufferPointer
    let pointers: UnsafeMutablePointer<UnsafeMutableRawPointer?>

    init(
        _ function: UnsafeMutablePointer<FunctionRecord>, kernel: CUkernel? = nil, _ shape: LaunchShape,
        parameters: UnsafeRawBufferPointer
    ) {
        self.function = function
        self.kernel = kernel
        self.shape = shape
        bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: max(8, parameters.count), alignment: 16)
        bytes.initializeMemory(as: UInt8.self, repeating: 0)
        bytes.copyMemory(from: parameters)
        let count = function.pointee.parameterCount
        pointers = UnsafeMutablePointer<UnsafeMutableRawPointer?>.allocate(capacity: max(1, count))
        for index in 0..<count {
            let slot = function.pointee.parameters[index]
            let isInside = UInt64(slot.offset) &+ UInt64(slot.byteCount) <= UInt64(bytes.count)
            (pointers + index).initialize(to: isInside ? bytes.baseAddress.map { $0 + Int(slot.offset) } : nil)
        }
        byteCount = parameters.count
    }

    /// Bytes of the packed parameters.
    let byteCount: Int

    var parameters: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes)[0..<byteCount])
    }

    deinit {
        bytes.deallocate()
        pointers.deallocate()
    }
}

/// A copy of a box between planes and arrays, and the request as the program would have written it.
final class CopyWork {
    let destination: ArrayCopyEnd
    let source: ArrayCopyEnd
    let box: Box
    let request: CUDA_MEMCPY3D
    let context: UnsafeMutablePointer<ContextState>

    init(
        to destination: ArrayCopyEnd, from source: ArrayCopyEnd, _ box: Box, _ request: CUDA_MEMCPY3D? = nil,
        context: UnsafeMutablePointer<ContextState>
    ) {
        self.destination = CUDADriver.hostEnd(destination, box)
        self.source = CUDADriver.hostEnd(source, box)
        self.box = box
        self.request = request ?? CopyWork.request(to: destination, from: source, box)
        self.context = context
    }

    /// What a program would have written to get this copy.
    private static func request(
        to destination: ArrayCopyEnd, from source: ArrayCopyEnd, _ box: Box
    ) -> CUDA_MEMCPY3D {
        var request = CUDA_MEMCPY3D()
        request.WidthInBytes = box.width
        request.Height = box.height
        request.Depth = box.depth
        switch source {
        case .array(let place):
            request.srcMemoryType = CU_MEMORYTYPE_ARRAY
            request.srcArray = place.handle
            (request.srcXInBytes, request.srcY, request.srcZ) = (Int(place.x), Int(place.y), Int(place.z))
        case .plane(let plane):
            request.srcPitch = plane.pitch
            request.srcHeight = plane.pitch > 0 ? plane.slicePitch / plane.pitch : 0
            switch plane.end {
            case .host(let pointer):
                request.srcMemoryType = CU_MEMORYTYPE_HOST
                request.srcHost = UnsafeRawPointer(pointer)
            case .device(let address):
                request.srcMemoryType = CU_MEMORYTYPE_DEVICE
                request.srcDevice = address
            }
        }
        switch destination {
        case .array(let place):
            request.dstMemoryType = CU_MEMORYTYPE_ARRAY
            request.dstArray = place.handle
            (request.dstXInBytes, request.dstY, request.dstZ) = (Int(place.x), Int(place.y), Int(place.z))
        case .plane(let plane):
            request.dstPitch = plane.pitch
            request.dstHeight = plane.pitch > 0 ? plane.slicePitch / plane.pitch : 0
            switch plane.end {
            case .host(let pointer):
                request.dstMemoryType = CU_MEMORYTYPE_HOST
                request.dstHost = pointer
            case .device(let address):
                request.dstMemoryType = CU_MEMORYTYPE_DEVICE
                request.dstDevice = address
            }
        }
        return request
    }
}

extension CUDADriver {
    /// The end on the host's side where it is pinned memory, whatever the device has of it: host nodes of the same
    /// graph look there. Managed memory that is fetched by need is the device's.
    fileprivate static func hostEnd(_ end: ArrayCopyEnd, _ box: Box) -> ArrayCopyEnd {
        guard case .plane(var plane) = end else { return end }
        plane.end = plane.end.settled(box.span(of: plane))
        if case .device(let address) = plane.end, let device = device(containing: address),
            device.memory.block(containing: address)?.kind == MemoryKind.host.rawValue,
            let pointer = UnsafeMutableRawPointer(bitPattern: UInt(address))
        {
            plane.end = .host(pointer)
        }
        return .plane(plane)
    }
}

/// A fill of rows with an element.
final class FillWork {
    let request: CUDA_MEMSET_NODE_PARAMS
    let context: UnsafeMutablePointer<ContextState>

    init(_ request: CUDA_MEMSET_NODE_PARAMS, context: UnsafeMutablePointer<ContextState>) {
        self.request = request
        self.context = context
    }
}

/// A function of the program.
final class HostWork {
    let function: CUhostFn?
    let userData: UnsafeMutableRawPointer?

    init(_ function: CUhostFn?, _ userData: UnsafeMutableRawPointer?) {
        self.function = function
        self.userData = userData
    }
}

/// An event that is recorded, or waited for.
final class EventWork {
    let event: CUevent?
    let id: UInt64

    init(_ event: CUevent?, id: UInt64) {
        self.event = event
        self.id = id
    }
}

/// Memory operations, as they travel and as a program writes them.
final class MemoryOperationsWork {
    let bytes: [UInt8]
    let operations: UnsafeMutablePointer<CUstreamBatchMemOpParams>
    let count: Int
    let context: UnsafeMutablePointer<ContextState>

    init(_ bytes: UnsafeRawBufferPointer, context: UnsafeMutablePointer<ContextState>) {
        self.bytes = [UInt8](bytes)
        self.context = context
        let stride = WireLimits.streamMemoryOperationByteCount
        count = bytes.count / stride
        operations = UnsafeMutablePointer<CUstreamBatchMemOpParams>.allocate(capacity: max(1, count))
        for index in 0..<count {
            var operation = CUstreamBatchMemOpParams()
            let kind = bytes.loadUnaligned(fromByteOffset: index &* stride, as: UInt32.self)
            let flags = bytes.loadUnaligned(fromByteOffset: index &* stride &+ 4, as: UInt32.self)
            operation.waitValue.operation = CUstreamBatchMemOpType(rawValue: kind)
            if kind == CU_STREAM_MEM_OP_BARRIER.rawValue {
                operation.memoryBarrier.flags = flags
            } else {
                // Waits and writes have the same fields in the same places.
                operation.waitValue.flags = flags
                operation.waitValue.address = bytes.loadUnaligned(
                    fromByteOffset: index &* stride &+ 8, as: UInt64.self)
                operation.waitValue.value64 = bytes.loadUnaligned(
                    fromByteOffset: index &* stride &+ 16, as: UInt64.self)
            }
            (operations + index).initialize(to: operation)
        }
    }

    deinit { operations.deallocate() }
}

/// A branch, a loop or a choice between graphs.
final class ConditionalWork {
    let handle: ConditionalHandle
    let type: CUgraphConditionalNodeType
    let bodies: [Graph]
    /// The bodies' handles, as `phGraph_out` shows them.
    let list: UnsafeMutablePointer<CUgraph?>
    let context: UnsafeMutablePointer<ContextState>?

    init(
        _ handle: ConditionalHandle, _ type: CUgraphConditionalNodeType, bodies: [Graph],
        context: UnsafeMutablePointer<ContextState>?
    ) {
        self.handle = handle
        self.type = type
        self.bodies = bodies
        self.context = context
        list = UnsafeMutablePointer<CUgraph?>.allocate(capacity: max(1, bodies.count))
        for (index, body) in bodies.enumerated() { (list + index).initialize(to: body.handle) }
    }

    deinit { list.deallocate() }
}

/// A conditional's value: four bytes of device memory whose address is the handle.
final class ConditionalHandle {
    let address: UInt64
    let defaultValue: UInt32
    /// Whether every launch sets the default value first.
    let assignsDefault: Bool

    init(address: UInt64, defaultValue: UInt32, assignsDefault: Bool) {
        self.address = address
        self.defaultValue = defaultValue
        self.assignsDefault = assignsDefault
    }

    deinit { _ = CUDADriver.free(address, stream: StreamID.all) }
}

/// An encoded command; its stream is whatever the graph is launched in.
final class CommandWork {
    let type: CUgraphNodeType
    let id: UInt16
    let payload: [UInt8]

    init(_ type: CUgraphNodeType, id: UInt16, payload: [UInt8]) {
        self.type = type
        self.id = id
        self.payload = payload
    }

    convenience init<Command: AsyncCommand>(_ type: CUgraphNodeType, _ command: Command) {
        self.init(type, id: Command.id, payload: WireBytes.of(command))
    }
}

/// Commands as bytes.
enum WireBytes {
    /// A command's payload.
    static func of<Command: WireCommand>(_ command: Command) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: command.encodedByteCount)
        bytes.withUnsafeMutableBytes { buffer in
            var writer = WireWriter(into: buffer)
            command.encode(into: &writer)
        }
        return bytes
    }
}
