public import CCUDA
internal import ClientRuntime

extension CUDADriver {
    /// Adds a node that does what was made of the program's parameters.
    static func add(
        _ result: UnsafeMutablePointer<CUgraphNode?>?, _ handle: CUgraph?,
        _ dependencies: UnsafePointer<CUgraphNode?>?, _ count: Int, _ made: MadeWork,
        data: UnsafePointer<CUgraphEdgeData>? = nil
    ) -> CUresult {
        guard let work = made.work else { return made.status }
        let status = withGraph(handle) { graph in
            guard let result, let edges = Graphs.edges(dependencies, data, count: count, in: graph) else {
                return CUDA_ERROR_INVALID_VALUE
            }
            guard let node = Graphs.add(work, to: graph, after: edges) else { return CUDA_ERROR_OUT_OF_MEMORY }
            result.pointee = node.handle
            return CUDA_SUCCESS
        }
        if status != CUDA_SUCCESS { withGraphs { Graphs.dismiss(work) } }
        return status
    }

    /// Replaces what a node does by work of the same type.
    static func replace(_ handle: CUgraphNode?, _ made: MadeWork) -> CUresult {
        guard let work = made.work else { return made.status }
        return withNode(handle) { node in
            guard node.work.type == work.type else { return CUDA_ERROR_INVALID_VALUE }
            node.work = work
            return CUDA_SUCCESS
        }
    }

    // MARK: - Kernels

    /// The corresponding C function is `cuGraphAddKernelNode_v2`.
    public static func graphAddKernelNodeV2(
        _ result: UnsafeMutablePointer<CUgraphNode?>?, _ graph: CUgraph?,
        _ dependencies: UnsafePointer<CUgraphNode?>?, _ count: Int, _ request: UnsafePointer<CUDA_KERNEL_NODE_PARAMS>?
    ) -> CUresult {
        guard let request else { return CUDA_ERROR_INVALID_VALUE }
        return add(result, graph, dependencies, count, kernelWork(request.pointee))
    }

    /// The corresponding C function is `cuGraphAddKernelNode`.
    public static func graphAddKernelNode(
        _ result: UnsafeMutablePointer<CUgraphNode?>?, _ graph: CUgraph?,
        _ dependencies: UnsafePointer<CUgraphNode?>?, _ count: Int,
        _ request: UnsafePointer<CUDA_KERNEL_NODE_PARAMS_v1>?
    ) -> CUresult {
        guard let request else { return CUDA_ERROR_INVALID_VALUE }
        return add(result, graph, dependencies, count, kernelWork(CUDA_KERNEL_NODE_PARAMS(request.pointee)))
    }

    /// The corresponding C function is `cuGraphKernelNodeGetParams_v2`.
    public static func graphKernelNodeGetParamsV2(
        _ node: CUgraphNode?, _ request: UnsafeMutablePointer<CUDA_KERNEL_NODE_PARAMS>?
    ) -> CUresult {
        guard let request else { return CUDA_ERROR_INVALID_VALUE }
        return withNode(node) { node in
            guard case .kernel(let work) = node.work else { return CUDA_ERROR_INVALID_VALUE }
            request.pointee = work.request
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuGraphKernelNodeGetParams`.
    public static func graphKernelNodeGetParams(
        _ node: CUgraphNode?, _ request: UnsafeMutablePointer<CUDA_KERNEL_NODE_PARAMS_v1>?
    ) -> CUresult {
        guard let request else { return CUDA_ERROR_INVALID_VALUE }
        var values = CUDA_KERNEL_NODE_PARAMS()
        let status = graphKernelNodeGetParamsV2(node, &values)
        if status == CUDA_SUCCESS { request.pointee = CUDA_KERNEL_NODE_PARAMS_v1(values) }
        return status
    }

    /// The corresponding C function is `cuGraphKernelNodeSetParams_v2`.
    public static func graphKernelNodeSetParamsV2(
        _ node: CUgraphNode?, _ request: UnsafePointer<CUDA_KERNEL_NODE_PARAMS>?
    ) -> CUresult {
        guard let request else { return CUDA_ERROR_INVALID_VALUE }
        return replace(node, kernelWork(request.pointee))
    }

    /// The corresponding C function is `cuGraphKernelNodeSetParams`.
    public static func graphKernelNodeSetParams(
        _ node: CUgraphNode?, _ request: UnsafePointer<CUDA_KERNEL_NODE_PARAMS_v1>?
    ) -> CUresult {
        guard let request else { return CUDA_ERROR_INVALID_VALUE }
        return replace(node, kernelWork(CUDA_KERNEL_NODE_PARAMS(request.pointee)))
    }

    // MARK: - Copies

    /// The corresponding C function is `cuGraphAddMemcpyNode`.
    public static func graphAddMemcpyNode(
        _ result: UnsafeMutablePointer<CUgraphNode?>?, _ graph: CUgraph?,
        _ dependencies: UnsafePointer<CUgraphNode?>?, _ count: Int, _ request: UnsafePointer<CUDA_MEMCPY3D>?,
        _ context: CUcontext?
    ) -> CUresult {
        guard let request else { return CUDA_ERROR_INVALID_VALUE }
        return add(result, graph, dependencies, count, copyWork(request.pointee, context))
    }

    /// The corresponding C function is `cuGraphMemcpyNodeGetParams`.
    public static func graphMemcpyNodeGetParams(
        _ node: CUgraphNode?, _ request: UnsafeMutablePointer<CUDA_MEMCPY3D>?
    ) -> CUresult {
        guard let request else { return CUDA_ERROR_INVALID_VALUE }
        return withNode(node) { node in
            guard case .copy(let work) = node.work else { return CUDA_ERROR_INVALID_VALUE }
            request.pointee = work.request
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuGraphMemcpyNodeSetParams`.
    public static func graphMemcpyNodeSetParams(
        _ node: CUgraphNode?, _ request: UnsafePointer<CUDA_MEMCPY3D>?
    ) -> CUresult {
        guard let request else { return CUDA_ERROR_INVALID_VALUE }
        return replace(node, copyWork(request.pointee, contextHandle(of: node)))
    }

    /// The context that a node's work was made for, as a handle.
    static func contextHandle(of handle: CUgraphNode?) -> CUcontext? {
        var found: CUcontext?
        _ = withNode(handle) { node in
            found = node.work.context.flatMap { self.handle(of: $0) }
            return CUDA_SUCCESS
        }
        return found
    }

    // MARK: - Fills

    /// The corresponding C function is `cuGraphAddMemsetNode`.
    public static func graphAddMemsetNode(
        _ result: UnsafeMutablePointer<CUgraphNode?>?, _ graph: CUgraph?,
        _ dependencies: UnsafePointer<CUgraphNode?>?, _ count: Int,
        _ request: UnsafePointer<CUDA_MEMSET_NODE_PARAMS>?, _ context: CUcontext?
    ) -> CUresult {
        guard let request else { return CUDA_ERROR_INVALID_VALUE }
        return add(result, graph, dependencies, count, fillWork(request.pointee, context))
    }

    /// The corresponding C function is `cuGraphMemsetNodeGetParams`.
    public static func graphMemsetNodeGetParams(
        _ node: CUgraphNode?, _ request: UnsafeMutablePointer<CUDA_MEMSET_NODE_PARAMS>?
    ) -> CUresult {
        guard let request else { return CUDA_ERROR_INVALID_VALUE }
        return withNode(node) { node in
            guard case .fill(let work) = node.work else { return CUDA_ERROR_INVALID_VALUE }
            request.pointee = work.request
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuGraphMemsetNodeSetParams`.
    public static func graphMemsetNodeSetParams(
        _ node: CUgraphNode?, _ request: UnsafePointer<CUDA_MEMSET_NODE_PARAMS>?
    ) -> CUresult {
        guard let request else { return CUDA_ERROR_INVALID_VALUE }
        return replace(node, fillWork(request.pointee, contextHandle(of: node)))
    }

    // MARK: - Host functions

    /// The corresponding C function is `cuGraphAddHostNode`.
    public static func graphAddHostNode(
        _ result: UnsafeMutablePointer<CUgraphNode?>?, _ graph: CUgraph?,
        _ dependencies: UnsafePointer<CUgraphNode?>?, _ count: Int, _ request: UnsafePointer<CUDA_HOST_NODE_PARAMS>?
    ) -> CUresult {
        guard let request else { return CUDA_ERROR_INVALID_VALUE }
        return add(result, graph, dependencies, count, hostWork(request.pointee.fn, request.pointee.userData))
    }

    /// The corresponding C function is `cuGraphHostNodeGetParams`.
    public static func graphHostNodeGetParams(
        _ node: CUgraphNode?, _ request: UnsafeMutablePointer<CUDA_HOST_NODE_PARAMS>?
    ) -> CUresult {
        guard let request else { return CUDA_ERROR_INVALID_VALUE }
        return withNode(node) { node in
            guard case .host(let work) = node.work else { return CUDA_ERROR_INVALID_VALUE }
            request.pointee.fn = work.function
            request.pointee.userData = work.userData
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuGraphHostNodeSetParams`.
    public static func graphHostNodeSetParams(
        _ node: CUgraphNode?, _ request: UnsafePointer<CUDA_HOST_NODE_PARAMS>?
    ) -> CUresult {
        guard let request else { return CUDA_ERROR_INVALID_VALUE }
        return replace(node, hostWork(request.pointee.fn, request.pointee.userData))
    }
}

extension KernelWork {
    /// The work as a program would describe it; its pointers are good for as long as the work.
    var request: CUDA_KERNEL_NODE_PARAMS {
        var request = CUDA_KERNEL_NODE_PARAMS()
        request.func = function.pointee.handle
        request.gridDimX = shape.gridX
        request.gridDimY = shape.gridY
        request.gridDimZ = shape.gridZ
        request.blockDimX = shape.blockX
        request.blockDimY = shape.blockY
        request.blockDimZ = shape.blockZ
        request.sharedMemBytes = shape.sharedByteCount
        request.kernelParams = function.pointee.parameterCount > 0 ? pointers : nil
        request.kern = kernel
        request.ctx = CUDADriver.handle(of: function.pointee.context)
        return request
    }
}

extension CUDA_KERNEL_NODE_PARAMS_v2_st {
    init(_ old: CUDA_KERNEL_NODE_PARAMS_v1) {
        self.init(
            func: old.func, gridDimX: old.gridDimX, gridDimY: old.gridDimY, gridDimZ: old.gridDimZ,
            blockDimX: old.blockDimX, blockDimY: old.blockDimY, blockDimZ: old.blockDimZ,
            sharedMemBytes: old.sharedMemBytes, kernelParams: old.kernelParams, extra: old.extra, kern: nil, ctx: nil)
    }

    init(_ new: CUDA_KERNEL_NODE_PARAMS_v3) {
        self.init(
            func: new.func, gridDimX: new.gridDimX, gridDimY: new.gridDimY, gridDimZ: new.gridDimZ,
            blockDimX: new.blockDimX, blockDimY: new.blockDimY, blockDimZ: new.blockDimZ,
            sharedMemBytes: new.sharedMemBytes, kernelParams: new.kernelParams, extra: new.extra, kern: new.kern,
            ctx: new.ctx)
    }
}

extension CUDA_KERNEL_NODE_PARAMS_v3_st {
    init(_ old: CUDA_KERNEL_NODE_PARAMS) {
        self.init(
            func: old.func, gridDimX: old.gridDimX, gridDimY: old.gridDimY, gridDimZ: old.gridDimZ,
            blockDimX: old.blockDimX, blockDimY: old.blockDimY, blockDimZ: old.blockDimZ,
            sharedMemBytes: old.sharedMemBytes, kernelParams: old.kernelParams, extra: old.extra, kern: old.kern,
            ctx: old.ctx)
    }
}

extension CUDA_KERNEL_NODE_PARAMS_st {
    init(_ new: CUDA_KERNEL_NODE_PARAMS) {
        self.init(
            func: new.func, gridDimX: new.gridDimX, gridDimY: new.gridDimY, gridDimZ: new.gridDimZ,
            blockDimX: new.blockDimX, blockDimY: new.blockDimY, blockDimZ: new.blockDimZ,
            sharedMemBytes: new.sharedMemBytes, kernelParams: new.kernelParams, extra: new.extra)
    }
}
