internal import CCUDA
internal import CPosix
internal import ClientRuntime
internal import WireProtocol

// What a node does, made of what the program says about it. Runs without the lock of graphs: a kernel may have to be
// loaded first.
extension CUDADriver {
    typealias MadeWork = (status: CUresult, work: GraphWork?)

    /// Runs `body` with the context of a handle, or with the current one for null.
    static func withNodeContext(_ handle: CUcontext?, _ body: (CallTarget) -> MadeWork) -> MadeWork {
        var made: MadeWork = (CUDA_ERROR_INVALID_CONTEXT, nil)
        let status: CUresult
        if let handle {
            guard Session.isReady else { return (CUresult(status: Session.status), nil) }
            guard let context = contextState(handle), let thread = ThreadState.mine else { return made }
            status = with(context, thread) {
                made = body($0)
                return made.status
            }
        } else {
            status = withContext {
                made = body($0)
                return made.status
            }
        }
        return status == CUDA_SUCCESS ? made : (status, nil)
    }

    static func kernelWork(_ request: CUDA_KERNEL_NODE_PARAMS) -> MadeWork {
        let named = request.func ?? request.kern
        let context = request.func == nil ? request.ctx : nil
        return withNodeContext(context) { target in
            let (status, found) = functionRecord(named, target)
            guard let function = found else { return (status, nil) }
            let shape = LaunchShape(
                gridX: request.gridDimX, gridY: request.gridDimY, gridZ: request.gridDimZ, blockX: request.blockDimX,
                blockY: request.blockDimY, blockZ: request.blockDimZ, sharedByteCount: request.sharedMemBytes)
            let checked = shape.check(function)
            guard checked == CUDA_SUCCESS else { return (checked, nil) }
            let kernel = named == function.pointee.handle ? nil : named
            if let extra = request.extra, request.kernelParams == nil {
                guard let packed = packedParameters(extra) else { return (CUDA_ERROR_INVALID_VALUE, nil) }
                return (CUDA_SUCCESS, .kernel(KernelWork(function, kernel: kernel, shape, parameters: packed)))
            }
            let byteCount = function.pointee.parameterByteCount
            guard byteCount > 0 else {
                let none = UnsafeRawBufferPointer(start: nil, count: 0)
                return (CUDA_SUCCESS, .kernel(KernelWork(function, kernel: kernel, shape, parameters: none)))
            }
            guard let parameters = request.kernelParams else { return (CUDA_ERROR_INVALID_VALUE, nil) }
            return withUnsafeTemporaryAllocation(byteCount: byteCount, alignment: 16) { buffer -> MadeWork in
                guard pack(parameters, function, into: buffer) else { return (CUDA_ERROR_INVALID_VALUE, nil) }
                let packed = UnsafeRawBufferPointer(buffer)
                return (CUDA_SUCCESS, .kernel(KernelWork(function, kernel: kernel, shape, parameters: packed)))
            }
        }
    }

    static func copyWork(_ request: CUDA_MEMCPY3D, _ context: CUcontext?) -> MadeWork {
        withNodeContext(context) { target in
            guard request.WidthInBytes > 0, request.Height > 0, request.Depth > 0 else {
                return (CUDA_ERROR_INVALID_VALUE, nil)
            }
            // Planes are ends of such a copy, too.
            let (status, plan) = planArrayCopy(request, target)
            guard let plan else { return (status, nil) }
            let work = CopyWork(to: plan.to, from: plan.from, plan.box, request, context: target.context)
            return (CUDA_SUCCESS, .copy(work))
        }
    }

    static func fillWork(_ request: CUDA_MEMSET_NODE_PARAMS, _ context: CUcontext?) -> MadeWork {
        withNodeContext(context) { target in
            let element = Int(request.elementSize)
            guard element == 1 || element == 2 || element == 4, request.width > 0, request.height > 0,
                request.width <= 1 << 40, request.height <= 1 << 40, request.dst % UInt64(element) == 0
            else { return (CUDA_ERROR_INVALID_VALUE, nil) }
            let row = request.width &* element
            guard request.height == 1 || (request.pitch >= row && request.pitch % element == 0) else {
                return (CUDA_ERROR_INVALID_VALUE, nil)
            }
            let (rows, overflow) = request.pitch.multipliedReportingOverflow(by: request.height &- 1)
            guard request.height == 1 || (!overflow && rows >= 0 && rows <= 1 << 41),
                isDeviceRange(request.dst, UInt64(request.height == 1 ? row : rows &+ row), target)
            else { return (CUDA_ERROR_INVALID_VALUE, nil) }
            return (CUDA_SUCCESS, .fill(FillWork(request, context: target.context)))
        }
    }

    static func hostWork(_ function: CUhostFn?, _ userData: UnsafeMutableRawPointer?) -> MadeWork {
        guard function != nil else { return (CUDA_ERROR_INVALID_VALUE, nil) }
        return (CUDA_SUCCESS, .host(HostWork(function, userData)))
    }

    static func eventWork(_ event: CUevent?, isRecord: Bool) -> MadeWork {
        let id = wireID(event, .event)
        guard id != 0 else { return (CUDA_ERROR_INVALID_HANDLE, nil) }
        let work = EventWork(event, id: id)
        return (CUDA_SUCCESS, isRecord ? .eventRecord(work) : .eventWait(work))
    }

    static func memoryOperationsWork(_ request: CUDA_BATCH_MEM_OP_NODE_PARAMS) -> MadeWork {
        guard request.flags == 0, let operations = request.paramArray else { return (CUDA_ERROR_INVALID_VALUE, nil) }
        return withNodeContext(request.ctx) { target in
            let (status, bytes) = encodeMemoryOperations(operations, Int(request.count), target)
            guard status == CUDA_SUCCESS else { return (status, nil) }
            let work = bytes.withUnsafeBytes { MemoryOperationsWork($0, context: target.context) }
            return (CUDA_SUCCESS, .memoryOperations(work))
        }
    }

    /// A child graph is a copy, unless the program gives its own away.
    static func childWork(_ handle: CUgraph?, isMoved: Bool, parent: CUgraph?) -> MadeWork {
        var made: MadeWork = (CUDA_ERROR_INVALID_VALUE, nil)
        let status = withGraph(handle) { child in
            guard child !== Graphs.graph(parent), child.owner == nil, !Captures.isTarget(child) else {
                return CUDA_ERROR_INVALID_VALUE
            }
            if isMoved {
                child.isMoved = true
                made = (CUDA_SUCCESS, .child(child))
                return CUDA_SUCCESS
            }
            guard !child.hasMemoryNodes else { return CUDA_ERROR_NOT_SUPPORTED }
            guard let copy = Graphs.clone(child) else { return CUDA_ERROR_OUT_OF_MEMORY }
            made = (CUDA_SUCCESS, .child(copy))
            return CUDA_SUCCESS
        }
        return status == CUDA_SUCCESS ? made : (status, nil)
    }

    static func allocationWork(_ request: UnsafeMutablePointer<CUDA_MEM_ALLOC_NODE_PARAMS>) -> MadeWork {
        let properties = request.pointee.poolProps
        guard properties.allocType == CU_MEM_ALLOCATION_TYPE_PINNED,
            properties.location.type == CU_MEM_LOCATION_TYPE_DEVICE, properties.handleTypes.rawValue == 0
        else { return (CUDA_ERROR_NOT_SUPPORTED, nil) }
        return withNodeContext(nil) { target in
            let context = target.context.pointee.device == properties.location.id ? target.context : nil
            guard context != nil else { return (CUDA_ERROR_NOT_SUPPORTED, nil) }
            let (status, allocation) = graphAllocation(request.pointee, target)
            guard let allocation else { return (status, nil) }
            request.pointee.dptr = allocation.address
            return (CUDA_SUCCESS, .allocation(allocation))
        }
    }

    static func releaseWork(_ address: UInt64) -> MadeWork {
        guard GraphMemory.contains(address) else { return (CUDA_ERROR_INVALID_VALUE, nil) }
        return (CUDA_SUCCESS, .release(address))
    }

    static func conditionalWork(_ request: UnsafeMutablePointer<CUDA_CONDITIONAL_NODE_PARAMS>, _ parent: CUgraph?)
        -> MadeWork
    {
        var made: MadeWork = (CUDA_ERROR_INVALID_VALUE, nil)
        let status = withGraph(parent) { graph in
            let values = request.pointee
            guard let handle = graph.outermost.conditionals.first(where: { $0.address == values.handle }),
                !graph.outermost.uses(handle)
            else { return CUDA_ERROR_INVALID_VALUE }
            let countMax: UInt32
            switch values.type {
            case CU_GRAPH_COND_TYPE_IF: countMax = 2
            case CU_GRAPH_COND_TYPE_WHILE: countMax = 1
            case CU_GRAPH_COND_TYPE_SWITCH: countMax = 1024
            default: return CUDA_ERROR_INVALID_VALUE
            }
            guard values.size >= 1, values.size <= countMax else { return CUDA_ERROR_INVALID_VALUE }
            var bodies: [Graph] = []
            for _ in 0..<values.size {
                guard let body = Graphs.make() else { return CUDA_ERROR_OUT_OF_MEMORY }
                bodies.append(body)
            }
            let context = contextState(values.ctx) ?? ThreadState.mine?.pointee.current
            let work = ConditionalWork(handle, values.type, bodies: bodies, context: context)
            request.pointee.phGraph_out = work.list
            made = (CUDA_SUCCESS, .conditional(work))
            return CUDA_SUCCESS
        }
        return status == CUDA_SUCCESS ? made : (status, nil)
    }
}

extension Graph {
    /// The graph around this one that is in no other.
    var outermost: Graph {
        var graph = self
        while let parent = graph.owner?.graph { graph = parent }
        return graph
    }

    /// Whether a conditional node of this graph, or of one in it, has this handle.
    func uses(_ handle: ConditionalHandle) -> Bool {
        for node in nodes {
            switch node.work {
            case .conditional(let work):
                if work.handle === handle { return true }
                for body in work.bodies where body.uses(handle) { return true }
            case .child(let child): if child.uses(handle) { return true }
            default: break
            }
        }
        return false
    }
}
