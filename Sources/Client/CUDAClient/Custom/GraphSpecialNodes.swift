public import CCUDA
internal import ClientRuntime

extension CUDADriver {
    /// The corresponding C function is `cuGraphAddChildGraphNode`. The child is copied.
    public static func graphAddChildGraphNode(
        _ result: UnsafeMutablePointer<CUgraphNode?>?, _ graph: CUgraph?,
        _ dependencies: UnsafePointer<CUgraphNode?>?, _ count: Int, _ child: CUgraph?
    ) -> CUresult {
        add(result, graph, dependencies, count, childWork(child, isMoved: false, parent: graph))
    }

    /// The corresponding C function is `cuGraphChildGraphNodeGetGraph`.
    public static func graphChildGraphNodeGetGraph(
        _ node: CUgraphNode?, _ result: UnsafeMutablePointer<CUgraph?>?
    ) -> CUresult {
        guard let result else { return CUDA_ERROR_INVALID_VALUE }
        return withNode(node) { node in
            guard case .child(let child) = node.work else { return CUDA_ERROR_INVALID_VALUE }
            result.pointee = child.handle
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuGraphAddEmptyNode`.
    public static func graphAddEmptyNode(
        _ result: UnsafeMutablePointer<CUgraphNode?>?, _ graph: CUgraph?,
        _ dependencies: UnsafePointer<CUgraphNode?>?, _ count: Int
    ) -> CUresult {
        add(result, graph, dependencies, count, (CUDA_SUCCESS, .empty))
    }

    // MARK: - Events

    /// The corresponding C function is `cuGraphAddEventRecordNode`.
    public static func graphAddEventRecordNode(
        _ result: UnsafeMutablePointer<CUgraphNode?>?, _ graph: CUgraph?,
        _ dependencies: UnsafePointer<CUgraphNode?>?, _ count: Int, _ event: CUevent?
    ) -> CUresult {
        add(result, graph, dependencies, count, eventWork(event, isRecord: true))
    }

    /// The corresponding C function is `cuGraphAddEventWaitNode`.
    public static func graphAddEventWaitNode(
        _ result: UnsafeMutablePointer<CUgraphNode?>?, _ graph: CUgraph?,
        _ dependencies: UnsafePointer<CUgraphNode?>?, _ count: Int, _ event: CUevent?
    ) -> CUresult {
        add(result, graph, dependencies, count, eventWork(event, isRecord: false))
    }

    private static func event(
        of node: CUgraphNode?, _ event: UnsafeMutablePointer<CUevent?>?, isRecord: Bool
    ) -> CUresult {
        guard let event else { return CUDA_ERROR_INVALID_VALUE }
        return withNode(node) { node in
            switch node.work {
            case .eventRecord(let work) where isRecord: event.pointee = work.event
            case .eventWait(let work) where !isRecord: event.pointee = work.event
            default: return CUDA_ERROR_INVALID_VALUE
            }
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuGraphEventRecordNodeGetEvent`.
    public static func graphEventRecordNodeGetEvent(
        _ node: CUgraphNode?, _ event: UnsafeMutablePointer<CUevent?>?
    ) -> CUresult {
        self.event(of: node, event, isRecord: true)
    }

    /// The corresponding C function is `cuGraphEventWaitNodeGetEvent`.
    public static func graphEventWaitNodeGetEvent(
        _ node: CUgraphNode?, _ event: UnsafeMutablePointer<CUevent?>?
    ) -> CUresult {
        self.event(of: node, event, isRecord: false)
    }

    /// The corresponding C function is `cuGraphEventRecordNodeSetEvent`.
    public static func graphEventRecordNodeSetEvent(_ node: CUgraphNode?, _ event: CUevent?) -> CUresult {
        replace(node, eventWork(event, isRecord: true))
    }

    /// The corresponding C function is `cuGraphEventWaitNodeSetEvent`.
    public static func graphEventWaitNodeSetEvent(_ node: CUgraphNode?, _ event: CUevent?) -> CUresult {
        replace(node, eventWork(event, isRecord: false))
    }

    // MARK: - Memory operations

    /// The corresponding C function is `cuGraphAddBatchMemOpNode`.
    public static func graphAddBatchMemOpNode(
        _ result: UnsafeMutablePointer<CUgraphNode?>?, _ graph: CUgraph?,
        _ dependencies: UnsafePointer<CUgraphNode?>?, _ count: Int,
        _ request: UnsafePointer<CUDA_BATCH_MEM_OP_NODE_PARAMS>?
    ) -> CUresult {
        guard let request else { return CUDA_ERROR_INVALID_VALUE }
        return add(result, graph, dependencies, count, memoryOperationsWork(request.pointee))
    }

    /// The corresponding C function is `cuGraphBatchMemOpNodeGetParams`.
    public static func graphBatchMemOpNodeGetParams(
        _ node: CUgraphNode?, _ request: UnsafeMutablePointer<CUDA_BATCH_MEM_OP_NODE_PARAMS>?
    ) -> CUresult {
        guard let request else { return CUDA_ERROR_INVALID_VALUE }
        return withNode(node) { node in
            guard case .memoryOperations(let work) = node.work else { return CUDA_ERROR_INVALID_VALUE }
            request.pointee.ctx = handle(of: work.context)
            request.pointee.count = UInt32(truncatingIfNeeded: work.count)
            request.pointee.paramArray = work.operations
            request.pointee.flags = 0
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuGraphBatchMemOpNodeSetParams`.
    public static func graphBatchMemOpNodeSetParams(
        _ node: CUgraphNode?, _ request: UnsafePointer<CUDA_BATCH_MEM_OP_NODE_PARAMS>?
    ) -> CUresult {
        guard let request else { return CUDA_ERROR_INVALID_VALUE }
        return replace(node, memoryOperationsWork(request.pointee))
    }

    // MARK: - Memory of graphs

    /// The corresponding C function is `cuGraphAddMemAllocNode`.
    public static func graphAddMemAllocNode(
        _ result: UnsafeMutablePointer<CUgraphNode?>?, _ graph: CUgraph?,
        _ dependencies: UnsafePointer<CUgraphNode?>?, _ count: Int,
        _ request: UnsafeMutablePointer<CUDA_MEM_ALLOC_NODE_PARAMS>?
    ) -> CUresult {
        guard let request else { return CUDA_ERROR_INVALID_VALUE }
        return add(result, graph, dependencies, count, allocationWork(request))
    }

    /// The corresponding C function is `cuGraphMemAllocNodeGetParams`.
    public static func graphMemAllocNodeGetParams(
        _ node: CUgraphNode?, _ request: UnsafeMutablePointer<CUDA_MEM_ALLOC_NODE_PARAMS>?
    ) -> CUresult {
        guard let request else { return CUDA_ERROR_INVALID_VALUE }
        return withNode(node) { node in
            guard case .allocation(let allocation) = node.work else { return CUDA_ERROR_INVALID_VALUE }
            request.pointee = allocation.request
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuGraphAddMemFreeNode`.
    public static func graphAddMemFreeNode(
        _ result: UnsafeMutablePointer<CUgraphNode?>?, _ graph: CUgraph?,
        _ dependencies: UnsafePointer<CUgraphNode?>?, _ count: Int, _ address: CUdeviceptr
    ) -> CUresult {
        add(result, graph, dependencies, count, releaseWork(address))
    }

    /// The corresponding C function is `cuGraphMemFreeNodeGetParams`.
    public static func graphMemFreeNodeGetParams(
        _ node: CUgraphNode?, _ result: UnsafeMutablePointer<CUdeviceptr>?
    ) -> CUresult {
        guard let result else { return CUDA_ERROR_INVALID_VALUE }
        return withNode(node) { node in
            guard case .release(let address) = node.work else { return CUDA_ERROR_INVALID_VALUE }
            result.pointee = address
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuDeviceGraphMemTrim`. A graph's memory is its own until the graph ends, so
    /// there is none to give up.
    public static func deviceGraphMemTrim(_ device: CUdevice) -> CUresult { withDevice(device) { _ in CUDA_SUCCESS } }

    /// The corresponding C function is `cuDeviceGetGraphMemAttribute`.
    public static func deviceGetGraphMemAttribute(
        _ device: CUdevice, _ attribute: CUgraphMem_attribute, _ value: UnsafeMutableRawPointer?
    ) -> CUresult {
        guard let value else { return CUDA_ERROR_INVALID_VALUE }
        return withDevice(device) { _ in
            let usage = GraphMemory.usage(of: device)
            switch attribute {
            case CU_GRAPH_MEM_ATTR_USED_MEM_CURRENT: value.storeBytes(of: usage.used, as: UInt64.self)
            case CU_GRAPH_MEM_ATTR_USED_MEM_HIGH: value.storeBytes(of: usage.usedMax, as: UInt64.self)
            case CU_GRAPH_MEM_ATTR_RESERVED_MEM_CURRENT: value.storeBytes(of: usage.reserved, as: UInt64.self)
            case CU_GRAPH_MEM_ATTR_RESERVED_MEM_HIGH: value.storeBytes(of: usage.reservedMax, as: UInt64.self)
            default: return CUDA_ERROR_INVALID_VALUE
            }
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuDeviceSetGraphMemAttribute`. Only the high-water marks can be set, to zero.
    public static func deviceSetGraphMemAttribute(
        _ device: CUdevice, _ attribute: CUgraphMem_attribute, _ value: UnsafeMutableRawPointer?
    ) -> CUresult {
        guard let value else { return CUDA_ERROR_INVALID_VALUE }
        return withDevice(device) { _ in
            let isUsed = attribute == CU_GRAPH_MEM_ATTR_USED_MEM_HIGH
            guard isUsed || attribute == CU_GRAPH_MEM_ATTR_RESERVED_MEM_HIGH, value.load(as: UInt64.self) == 0 else {
                return CUDA_ERROR_INVALID_VALUE
            }
            GraphMemory.resetMaximum(of: device, ofUsed: isUsed)
            return CUDA_SUCCESS
        }
    }

    // MARK: - Conditionals

    /// The corresponding C function is `cuGraphConditionalHandleCreate`. The handle is an address in device memory.
    public static func graphConditionalHandleCreate(
        _ result: UnsafeMutablePointer<CUgraphConditionalHandle>?, _ handle: CUgraph?, _ context: CUcontext?,
        _ defaultValue: UInt32, _ flags: UInt32
    ) -> CUresult {
        guard let result, flags <= 1 else { return CUDA_ERROR_INVALID_VALUE }
        var conditional: ConditionalHandle?
        let made = withNodeContext(context) { target in
            let (status, address) = allocate(4, .device, target)
            if status == CUDA_SUCCESS {
                conditional = ConditionalHandle(
                    address: address, defaultValue: defaultValue, assignsDefault: flags == 1)
            }
            return (status, nil)
        }
        guard let conditional else { return made.status }
        return withGraph(handle) { graph in
            graph.outermost.conditionals.append(conditional)
            result.pointee = conditional.address
            return CUDA_SUCCESS
        }
    }
}
