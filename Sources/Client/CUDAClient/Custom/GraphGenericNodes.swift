public import CCUDA
internal import ClientRuntime

extension CUDADriver {
    /// What a node does by the generic description of it; what the driver answers is written into the description.
    static func genericWork(_ request: UnsafeMutablePointer<CUgraphNodeParams>, graph: CUgraph?) -> MadeWork {
        let values = request.pointee
        switch values.type {
        case CU_GRAPH_NODE_TYPE_KERNEL: return kernelWork(CUDA_KERNEL_NODE_PARAMS(values.kernel))
        case CU_GRAPH_NODE_TYPE_MEMCPY:
            guard values.memcpy.flags == 0 else { return (CUDA_ERROR_INVALID_VALUE, nil) }
            return copyWork(values.memcpy.copyParams, values.memcpy.copyCtx)
        case CU_GRAPH_NODE_TYPE_MEMSET:
            let fill = values.memset
            let plain = CUDA_MEMSET_NODE_PARAMS(
                dst: fill.dst, pitch: fill.pitch, value: fill.value, elementSize: fill.elementSize, width: fill.width,
                height: fill.height)
            return fillWork(plain, fill.ctx)
        case CU_GRAPH_NODE_TYPE_HOST: return hostWork(values.host.fn, values.host.userData)
        case CU_GRAPH_NODE_TYPE_GRAPH:
            let isMoved = values.graph.ownership == CU_GRAPH_CHILD_GRAPH_OWNERSHIP_MOVE
            return childWork(values.graph.graph, isMoved: isMoved, parent: graph)
        case CU_GRAPH_NODE_TYPE_EMPTY: return (CUDA_SUCCESS, .empty)
        case CU_GRAPH_NODE_TYPE_EVENT_RECORD: return eventWork(values.eventRecord.event, isRecord: true)
        case CU_GRAPH_NODE_TYPE_WAIT_EVENT: return eventWork(values.eventWait.event, isRecord: false)
        case CU_GRAPH_NODE_TYPE_BATCH_MEM_OP:
            let batch = values.memOp
            return memoryOperationsWork(
                CUDA_BATCH_MEM_OP_NODE_PARAMS(
                    ctx: batch.ctx, count: batch.count, paramArray: batch.paramArray, flags: batch.flags))
        case CU_GRAPH_NODE_TYPE_MEM_ALLOC:
            var plain = CUDA_MEM_ALLOC_NODE_PARAMS(
                poolProps: values.alloc.poolProps, accessDescs: values.alloc.accessDescs,
                accessDescCount: values.alloc.accessDescCount, bytesize: values.alloc.bytesize, dptr: 0)
            let made = allocationWork(&plain)
            request.pointee.alloc.dptr = plain.dptr
            return made
        case CU_GRAPH_NODE_TYPE_MEM_FREE: return releaseWork(values.free.dptr)
        case CU_GRAPH_NODE_TYPE_CONDITIONAL: return conditionalWork(&request.pointee.conditional, graph)
        case CU_GRAPH_NODE_TYPE_EXT_SEMAS_SIGNAL, CU_GRAPH_NODE_TYPE_EXT_SEMAS_WAIT,
            CU_GRAPH_NODE_TYPE_MEMCPY_BATCH, CU_GRAPH_NODE_TYPE_FABRIC_CPY_BATCH:
            return (CUDA_ERROR_NOT_SUPPORTED, nil)
        default: return (CUDA_ERROR_INVALID_VALUE, nil)
        }
    }

    /// The corresponding C function is `cuGraphAddNode`.
    public static func graphAddNode(
        _ result: UnsafeMutablePointer<CUgraphNode?>?, _ graph: CUgraph?,
        _ dependencies: UnsafePointer<CUgraphNode?>?, _ count: Int, _ request: UnsafeMutablePointer<CUgraphNodeParams>?
    ) -> CUresult {
        graphAddNodeV2(result, graph, dependencies, nil, count, request)
    }

    /// The corresponding C function is `cuGraphAddNode_v2`.
    public static func graphAddNodeV2(
        _ result: UnsafeMutablePointer<CUgraphNode?>?, _ graph: CUgraph?,
        _ dependencies: UnsafePointer<CUgraphNode?>?, _ data: UnsafePointer<CUgraphEdgeData>?, _ count: Int,
        _ request: UnsafeMutablePointer<CUgraphNodeParams>?
    ) -> CUresult {
        guard let request else { return CUDA_ERROR_INVALID_VALUE }
        return add(result, graph, dependencies, count, genericWork(request, graph: graph), data: data)
    }

    /// The corresponding C function is `cuGraphAddNode_v3`.
    public static func graphAddNodeV3(
        _ result: UnsafeMutablePointer<CUgraphNode?>?, _ graph: CUgraph?,
        _ dependencies: UnsafePointer<CUgraphNode?>?, _ data: UnsafePointer<CUgraphEdgeData>?, _ count: Int,
        _ request: UnsafeMutablePointer<CUgraphNodeParams>?
    ) -> CUresult {
        graphAddNodeV2(result, graph, dependencies, data, count, request)
    }

    /// Whether nodes of a type can get other parameters.
    static func isSettable(_ type: CUgraphNodeType) -> Bool {
        switch type {
        case CU_GRAPH_NODE_TYPE_KERNEL, CU_GRAPH_NODE_TYPE_MEMCPY, CU_GRAPH_NODE_TYPE_MEMSET, CU_GRAPH_NODE_TYPE_HOST,
            CU_GRAPH_NODE_TYPE_EVENT_RECORD, CU_GRAPH_NODE_TYPE_WAIT_EVENT, CU_GRAPH_NODE_TYPE_BATCH_MEM_OP:
            true
        default: false
        }
    }

    /// The corresponding C function is `cuGraphNodeSetParams`.
    public static func graphNodeSetParams(
        _ node: CUgraphNode?, _ request: UnsafeMutablePointer<CUgraphNodeParams>?
    ) -> CUresult {
        guard let request else { return CUDA_ERROR_INVALID_VALUE }
        guard isSettable(request.pointee.type) else { return CUDA_ERROR_NOT_SUPPORTED }
        return replace(node, genericWork(request, graph: nil))
    }

    /// The corresponding C function is `cuGraphNodeSetParams_v2`.
    public static func graphNodeSetParamsV2(
        _ node: CUgraphNode?, _ request: UnsafeMutablePointer<CUgraphNodeParams>?
    ) -> CUresult {
        graphNodeSetParams(node, request)
    }

    /// The corresponding C function is `cuGraphNodeGetParams`.
    public static func graphNodeGetParams(
        _ node: CUgraphNode?, _ request: UnsafeMutablePointer<CUgraphNodeParams>?
    ) -> CUresult {
        guard let request else { return CUDA_ERROR_INVALID_VALUE }
        return withNode(node) { node in
            var values = CUgraphNodeParams()
            values.type = node.work.type
            let context = node.work.context.flatMap { handle(of: $0) }
            switch node.work {
            case .kernel(let work): values.kernel = CUDA_KERNEL_NODE_PARAMS_v3(work.request)
            case .copy(let work):
                values.memcpy.copyCtx = context
                values.memcpy.copyParams = work.request
            case .fill(let work):
                let fill = work.request
                values.memset = CUDA_MEMSET_NODE_PARAMS_v2(
                    dst: fill.dst, pitch: fill.pitch, value: fill.value, elementSize: fill.elementSize,
                    width: fill.width, height: fill.height, ctx: context)
            case .host(let work):
                values.host.fn = work.function
                values.host.userData = work.userData
            case .child(let child): values.graph.graph = child.handle
            case .eventRecord(let work): values.eventRecord.event = work.event
            case .eventWait(let work): values.eventWait.event = work.event
            case .memoryOperations(let work):
                values.memOp.ctx = context
                values.memOp.count = UInt32(truncatingIfNeeded: work.count)
                values.memOp.paramArray = work.operations
            case .allocation(let allocation):
                values.alloc.poolProps = allocation.request.poolProps
                values.alloc.bytesize = allocation.request.bytesize
                values.alloc.dptr = allocation.address
            case .release(let address): values.free.dptr = address
            case .conditional(let work):
                values.conditional.handle = work.handle.address
                values.conditional.type = work.type
                values.conditional.size = UInt32(truncatingIfNeeded: work.bodies.count)
                values.conditional.phGraph_out = work.list
                values.conditional.ctx = work.context.flatMap { handle(of: $0) }
            case .empty: break
            case .command: return CUDA_ERROR_NOT_SUPPORTED
            }
            request.pointee = values
            return CUDA_SUCCESS
        }
    }

    // MARK: - Attributes of kernels

    /// The corresponding C function is `cuGraphKernelNodeCopyAttributes`.
    public static func graphKernelNodeCopyAttributes(
        _ destination: CUgraphNode?, _ source: CUgraphNode?
    ) -> CUresult {
        withNode(source) { source in
            guard let destination = Graphs.node(destination), case .kernel(let from) = source.work,
                case .kernel(let to) = destination.work
            else { return CUDA_ERROR_INVALID_VALUE }
            destination.attributes = source.attributes
            destination.work = .kernel(to.with(isCooperative: from.shape.isCooperative))
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuGraphKernelNodeGetAttribute`.
    public static func graphKernelNodeGetAttribute(
        _ node: CUgraphNode?, _ id: CUkernelNodeAttrID, _ value: UnsafeMutablePointer<CUkernelNodeAttrValue>?
    ) -> CUresult {
        guard let value else { return CUDA_ERROR_INVALID_VALUE }
        return withNode(node) { node in
            guard case .kernel(let work) = node.work, isKernelAttribute(id) else { return CUDA_ERROR_INVALID_VALUE }
            var found = CUlaunchAttributeValue()
            for attribute in node.attributes where attribute.id == id { found = attribute.value }
            if id == CU_LAUNCH_ATTRIBUTE_COOPERATIVE { found.cooperative = work.shape.isCooperative ? 1 : 0 }
            value.pointee = found
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuGraphKernelNodeSetAttribute`.
    public static func graphKernelNodeSetAttribute(
        _ node: CUgraphNode?, _ id: CUkernelNodeAttrID, _ value: UnsafePointer<CUkernelNodeAttrValue>?
    ) -> CUresult {
        guard let value else { return CUDA_ERROR_INVALID_VALUE }
        return withNode(node) { node in
            guard case .kernel(let work) = node.work, isKernelAttribute(id) else { return CUDA_ERROR_INVALID_VALUE }
            let dimension = value.pointee.clusterDim
            let isCluster =
                id == CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION && (dimension.x > 1 || dimension.y > 1 || dimension.z > 1)
            guard !isCluster else { return CUDA_ERROR_INVALID_CLUSTER_SIZE }
            if id == CU_LAUNCH_ATTRIBUTE_COOPERATIVE {
                node.work = .kernel(work.with(isCooperative: value.pointee.cooperative != 0))
            }
            node.attributes.removeAll { $0.id == id }
            var attribute = CUlaunchAttribute()
            attribute.id = id
            attribute.value = value.pointee
            node.attributes.append(attribute)
            return CUDA_SUCCESS
        }
    }

    private static func isKernelAttribute(_ id: CUkernelNodeAttrID) -> Bool {
        switch id {
        case CU_LAUNCH_ATTRIBUTE_ACCESS_POLICY_WINDOW, CU_LAUNCH_ATTRIBUTE_COOPERATIVE,
            CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION, CU_LAUNCH_ATTRIBUTE_CLUSTER_SCHEDULING_POLICY_PREFERENCE,
            CU_LAUNCH_ATTRIBUTE_PRIORITY, CU_LAUNCH_ATTRIBUTE_MEM_SYNC_DOMAIN_MAP,
            CU_LAUNCH_ATTRIBUTE_MEM_SYNC_DOMAIN, CU_LAUNCH_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT:
            true
        default: false
        }
    }
}

extension KernelWork {
    /// The same launch, cooperative or not.
    func with(isCooperative: Bool) -> KernelWork {
        var shape = self.shape
        shape.isCooperative = isCooperative
        return KernelWork(function, kernel: kernel, shape, parameters: parameters)
    }
}
