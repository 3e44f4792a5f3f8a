public import CCUDA
internal import ClientRuntime
internal import Primitives

/// What a program set on a stream. All of it hints at speed, or at how to wait, so nothing of it reaches a worker.
struct StreamAttributes {
    var accessPolicyWindow = CUaccessPolicyWindow()
    var syncPolicy = CU_SYNC_POLICY_AUTO
    var domainMap = CUlaunchMemSyncDomainMap(default_: 0, remote: 1)
    var domain = CU_LAUNCH_MEM_SYNC_DOMAIN_DEFAULT
}

extension CUDADriver {
    /// A stream by its id; the reserved ones by their context too.
    private struct StreamKey: Equatable {
        var id: UInt64
        var context: UInt64
    }

    // SAFETY: only touched under `tablesLock`.
    nonisolated(unsafe) private static var streamAttributes: [(key: StreamKey, value: StreamAttributes)] = []

    private static func key(
        _ stream: CUstream?, _ context: UnsafeMutablePointer<ContextState>, _ entry: UnsafeMutablePointer<HandleEntry>?
    ) -> StreamKey {
        guard entry == nil else { return StreamKey(id: wireID(stream, .stream), context: 0) }
        return StreamKey(id: UInt64(max(1, UInt(bitPattern: stream))), context: details(of: context).serial)
    }

    private static func attributes(_ key: StreamKey) -> StreamAttributes {
        tablesLock.acquire()
        defer { tablesLock.release() }
        for entry in streamAttributes where entry.key == key { return entry.value }
        return StreamAttributes()
    }

    private static func keep(_ value: StreamAttributes, _ key: StreamKey) {
        tablesLock.acquire()
        defer { tablesLock.release() }
        for index in streamAttributes.indices where streamAttributes[index].key == key {
            streamAttributes[index].value = value
            return
        }
        // Attributes of streams that are gone would pile up: now is the time to forget them.
        if streamAttributes.count >= 64 {
            streamAttributes.removeAll { $0.key.context == 0 && !isAlive($0.key.id) }
        }
        streamAttributes.append((key, value))
    }

    private static func isAlive(_ id: UInt64) -> Bool {
        guard let handleRegion else { return false }
        let slot = UInt32(truncatingIfNeeded: id)
        return handleRegion.pointee.id(slot) == id
            && handleRegion.pointee.entry(slot).pointee.kind == HandleKind.stream.rawValue
    }

    /// The corresponding C function is `cuStreamGetAttribute`.
    public static func streamGetAttribute(
        _ stream: CUstream?, _ attribute: CUstreamAttrID, _ result: UnsafeMutablePointer<CUstreamAttrValue>?
    ) -> CUresult {
        guard let result else { return CUDA_ERROR_INVALID_VALUE }
        return withStream(stream) { context, entry in
            let kept = attributes(key(stream, context, entry))
            var value = CUstreamAttrValue()
            switch attribute {
            case CU_LAUNCH_ATTRIBUTE_ACCESS_POLICY_WINDOW: value.accessPolicyWindow = kept.accessPolicyWindow
            case CU_LAUNCH_ATTRIBUTE_SYNCHRONIZATION_POLICY: value.syncPolicy = kept.syncPolicy
            case CU_LAUNCH_ATTRIBUTE_PRIORITY: value.priority = Int32(truncatingIfNeeded: entry?.pointee.value ?? 0)
            case CU_LAUNCH_ATTRIBUTE_MEM_SYNC_DOMAIN_MAP: value.memSyncDomainMap = kept.domainMap
            case CU_LAUNCH_ATTRIBUTE_MEM_SYNC_DOMAIN: value.memSyncDomain = kept.domain
            default: return CUDA_ERROR_INVALID_VALUE
            }
            result.pointee = value
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuStreamSetAttribute`.
    public static func streamSetAttribute(
        _ stream: CUstream?, _ attribute: CUstreamAttrID, _ value: UnsafePointer<CUstreamAttrValue>?
    ) -> CUresult {
        guard let value else { return CUDA_ERROR_INVALID_VALUE }
        return withStream(stream) { context, entry in
            let key = key(stream, context, entry)
            var kept = attributes(key)
            switch attribute {
            case CU_LAUNCH_ATTRIBUTE_ACCESS_POLICY_WINDOW:
                let window = value.pointee.accessPolicyWindow
                guard isSensible(window) else { return CUDA_ERROR_INVALID_VALUE }
                kept.accessPolicyWindow = window
            case CU_LAUNCH_ATTRIBUTE_SYNCHRONIZATION_POLICY:
                let policy = value.pointee.syncPolicy
                guard policy.rawValue &- 1 < 4 else { return CUDA_ERROR_INVALID_VALUE }
                kept.syncPolicy = policy
            case CU_LAUNCH_ATTRIBUTE_PRIORITY:
                guard let entry else { return CUDA_ERROR_INVALID_VALUE }
                let wanted = value.pointee.priority
                entry.pointee.value = Int64(min(max(wanted, StreamPriority.greatest), StreamPriority.least))
                return CUDA_SUCCESS
            case CU_LAUNCH_ATTRIBUTE_MEM_SYNC_DOMAIN_MAP: kept.domainMap = value.pointee.memSyncDomainMap
            case CU_LAUNCH_ATTRIBUTE_MEM_SYNC_DOMAIN:
                guard value.pointee.memSyncDomain.rawValue <= 1 else { return CUDA_ERROR_INVALID_VALUE }
                kept.domain = value.pointee.memSyncDomain
            default: return CUDA_ERROR_INVALID_VALUE
            }
            keep(kept, key)
            return CUDA_SUCCESS
        }
    }

    private static func isSensible(_ window: CUaccessPolicyWindow) -> Bool {
        window.hitRatio >= 0 && window.hitRatio <= 1 && window.hitProp.rawValue <= 2 && window.missProp.rawValue <= 1
    }

    /// The corresponding C function is `cuStreamCopyAttributes`.
    public static func streamCopyAttributes(_ destination: CUstream?, _ source: CUstream?) -> CUresult {
        withStream(source) { context, entry in
            let value = attributes(key(source, context, entry))
            return withStream(destination) { context, entry in
                keep(value, key(destination, context, entry))
                return CUDA_SUCCESS
            }
        }
    }
}
