public import CCUDA
internal import ClientRuntime

extension CUDADriver {
    /// The corresponding C function is `cuUserObjectCreate`.
    public static func userObjectCreate(
        _ result: UnsafeMutablePointer<CUuserObject?>?, _ pointer: UnsafeMutableRawPointer?, _ destroy: CUhostFn?,
        _ count: UInt32, _ flags: UInt32
    ) -> CUresult {
        guard Session.isReady else { return CUresult(status: Session.status) }
        guard let result, let destroy, count > 0, count <= UInt32(Int32.max),
            flags == CU_USER_OBJECT_NO_DESTRUCTOR_SYNC.rawValue
        else { return CUDA_ERROR_INVALID_VALUE }
        let object = UserObject(pointer, count: count, destroy: destroy)
        let kept = Unmanaged.passRetained(object)
        guard let made = makeHandle(.userObject, context: nil, object: kept.toOpaque()) else {
            kept.release()
            return CUDA_ERROR_OUT_OF_MEMORY
        }
        object.handle = made.handle
        result.pointee = made.handle
        return CUDA_SUCCESS
    }

    /// The corresponding C function is `cuUserObjectRetain`.
    public static func userObjectRetain(_ handle: CUuserObject?, _ count: UInt32) -> CUresult {
        guard let object = object(handle, .userObject, as: UserObject.self), count > 0,
            count <= UInt32(Int32.max)
        else {
            return CUDA_ERROR_INVALID_VALUE
        }
        object.retain(count)
        return CUDA_SUCCESS
    }

    /// The corresponding C function is `cuUserObjectRelease`.
    public static func userObjectRelease(_ handle: CUuserObject?, _ count: UInt32) -> CUresult {
        guard let object = object(handle, .userObject, as: UserObject.self), count > 0 else {
            return CUDA_ERROR_INVALID_VALUE
        }
        return object.release(count) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE
    }

    /// The corresponding C function is `cuGraphRetainUserObject`.
    public static func graphRetainUserObject(
        _ graph: CUgraph?, _ handle: CUuserObject?, _ count: UInt32, _ flags: UInt32
    ) -> CUresult {
        withGraph(graph) { graph in
            guard let object = object(handle, .userObject, as: UserObject.self), count > 0,
                count <= UInt32(Int32.max), flags <= CU_GRAPH_USER_OBJECT_MOVE.rawValue
            else { return CUDA_ERROR_INVALID_VALUE }
            if flags != CU_GRAPH_USER_OBJECT_MOVE.rawValue { object.retain(count) }
            graph.userObjects.append(UserObjectReference(object: object, count: count))
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuGraphReleaseUserObject`.
    public static func graphReleaseUserObject(
        _ graph: CUgraph?, _ handle: CUuserObject?, _ count: UInt32
    ) -> CUresult {
        withGraph(graph) { graph in
            guard let object = object(handle, .userObject, as: UserObject.self), count > 0 else {
                return CUDA_ERROR_INVALID_VALUE
            }
            var rest = UInt64(count)
            let all = graph.userObjects.reduce(UInt64(0)) { $0 &+ ($1.object === object ? UInt64($1.count) : 0) }
            guard all >= rest else { return CUDA_ERROR_INVALID_VALUE }
            for index in graph.userObjects.indices where graph.userObjects[index].object === object && rest > 0 {
                let part = min(rest, UInt64(graph.userObjects[index].count))
                graph.userObjects[index].count &-= UInt32(truncatingIfNeeded: part)
                rest &-= part
            }
            graph.userObjects.removeAll { $0.count == 0 }
            _ = object.release(count)
            return CUDA_SUCCESS
        }
    }
}
