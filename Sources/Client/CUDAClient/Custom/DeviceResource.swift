public import CCUDA
internal import ClientRuntime

/// What `cuDevResourceGenerateDesc` hands out.
final class ResourceDescription {
    let ranges: [ProcessorRange]

    init(ranges: [ProcessorRange]) { self.ranges = ranges }
}

// Processors are accounted and shown; the software GPU runs the work of every context on all its threads.
extension CUDADriver {
    private static let groupCountMax = 4096

    private static func granularity(_ device: Device, flags: UInt32 = 0) -> ProcessorGranularity {
        ProcessorGranularity(
            major: attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, of: device),
            ignoresCoscheduling: flags & CU_DEV_SM_RESOURCE_SPLIT_IGNORE_SM_COSCHEDULING.rawValue != 0)
    }

    /// All processors of a device.
    static func allProcessors(_ device: Device) -> ProcessorRange {
        let count = attribute(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, of: device)
        return ProcessorRange(device: device.ordinal, first: 0, count: UInt32(max(0, count)))
    }

    /// Writes a range as a resource of the wanted type.
    static func show(
        _ range: ProcessorRange, _ resource: UnsafeMutablePointer<CUdevResource>?, _ type: CUdevResourceType
    ) -> CUresult {
        guard let resource else { return CUDA_ERROR_INVALID_VALUE }
        guard type == CU_DEV_RESOURCE_TYPE_SM else { return CUDA_ERROR_INVALID_RESOURCE_TYPE }
        return withDevice(range.device) { device in
            resource.pointee = range.resource(granularity(device))
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuDeviceGetDevResource`.
    public static func deviceGetDevResource(
        _ ordinal: CUdevice, _ resource: UnsafeMutablePointer<CUdevResource>?, _ type: CUdevResourceType
    ) -> CUresult {
        withDevice(ordinal) { show(allProcessors($0), resource, type) }
    }

    /// The corresponding C function is `cuDevSmResourceSplitByCount`.
    public static func devSmResourceSplitByCount(
        _ result: UnsafeMutablePointer<CUdevResource>?, _ groupCount: UnsafeMutablePointer<UInt32>?,
        _ input: UnsafePointer<CUdevResource>?, _ remaining: UnsafeMutablePointer<CUdevResource>?, _ flags: UInt32,
        _ minCount: UInt32
    ) -> CUresult {
        guard let groupCount, let input, flags & ~3 == 0 else { return CUDA_ERROR_INVALID_VALUE }
        guard input.pointee.type == CU_DEV_RESOURCE_TYPE_SM else { return CUDA_ERROR_INVALID_RESOURCE_TYPE }
        guard var rest = ProcessorRange(input.pointee) else { return CUDA_ERROR_INVALID_VALUE }
        return withDevice(rest.device) { device in
            let granularity = granularity(device, flags: flags)
            let size = granularity.rounded(minCount)
            guard size <= rest.count else { return CUDA_ERROR_INVALID_RESOURCE_CONFIGURATION }
            let possible = rest.count / size
            guard let result else {
                groupCount.pointee = possible
                return CUDA_SUCCESS
            }
            guard groupCount.pointee > 0 else { return CUDA_ERROR_INVALID_VALUE }
            let count = min(possible, groupCount.pointee)
            for index in 0..<Int(count) {
                guard let group = rest.take(size) else { return CUDA_ERROR_INVALID_RESOURCE_CONFIGURATION }
                result[index] = group.resource(granularity)
            }
            groupCount.pointee = count
            remaining?.pointee = rest.resource(granularity)
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuDevSmResourceSplit`. A group that asks for no number gets all that is left
    /// for it and those after it, divided equally.
    public static func devSmResourceSplit(
        _ result: UnsafeMutablePointer<CUdevResource>?, _ groupCount: UInt32, _ input: UnsafePointer<CUdevResource>?,
        _ remainder: UnsafeMutablePointer<CUdevResource>?, _ flags: UInt32,
        _ groups: UnsafeMutablePointer<CU_DEV_SM_RESOURCE_GROUP_PARAMS>?
    ) -> CUresult {
        guard let input, let groups, flags == 0, groupCount > 0, groupCount <= groupCountMax else {
            return CUDA_ERROR_INVALID_VALUE
        }
        guard input.pointee.type == CU_DEV_RESOURCE_TYPE_SM else { return CUDA_ERROR_INVALID_RESOURCE_TYPE }
        guard var rest = ProcessorRange(input.pointee) else { return CUDA_ERROR_INVALID_VALUE }
        return withDevice(rest.device) { device in
            let usual = granularity(device)
            for index in 0..<Int(groupCount) {
                guard groups[index].flags & ~1 == 0 else { return CUDA_ERROR_NOT_SUPPORTED }
                let isBackfill = groups[index].flags & CU_DEV_SM_RESOURCE_GROUP_BACKFILL.rawValue != 0
                let step = isBackfill ? 2 : max(2, groups[index].coscheduledSmCount)
                var wanted = groups[index].smCount
                if wanted == 0 { wanted = rest.count / (groupCount &- UInt32(index)) / step &* step }
                guard wanted > 0, wanted % 2 == 0, wanted % step == 0, let group = rest.take(wanted) else {
                    return CUDA_ERROR_INVALID_RESOURCE_CONFIGURATION
                }
                groups[index].smCount = wanted
                if groups[index].coscheduledSmCount == 0 { groups[index].coscheduledSmCount = min(wanted, usual.step) }
                if let result { result[index] = group.resource(usual) }
            }
            remainder?.pointee = rest.resource(usual)
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuDevResourceGenerateDesc`.
    public static func devResourceGenerateDesc(
        _ result: UnsafeMutablePointer<CUdevResourceDesc?>?, _ resources: UnsafeMutablePointer<CUdevResource>?,
        _ count: UInt32
    ) -> CUresult {
        guard let result, let resources, count > 0, count <= groupCountMax else { return CUDA_ERROR_INVALID_VALUE }
        guard Session.isReady else { return CUresult(status: Session.status) }
        var ranges: [ProcessorRange] = []
        for index in 0..<Int(count) {
            guard resources[index].type == CU_DEV_RESOURCE_TYPE_SM else { return CUDA_ERROR_INVALID_RESOURCE_TYPE }
            guard let range = ProcessorRange(resources[index]) else { return CUDA_ERROR_INVALID_VALUE }
            for other in ranges where other.device != range.device || other.overlaps(range) {
                return CUDA_ERROR_INVALID_RESOURCE_CONFIGURATION
            }
            ranges.append(range)
        }
        let object = Unmanaged.passRetained(ResourceDescription(ranges: ranges))
        guard let made = makeHandle(.resourceDescription, context: nil, object: object.toOpaque()) else {
            object.release()
            return CUDA_ERROR_OUT_OF_MEMORY
        }
        result.pointee = made.handle
        return CUDA_SUCCESS
    }
}
