public import CCUDA
internal import ClientRuntime
internal import Primitives
internal import WireProtocol

/// A context on a part of a device's processors. Its commands are those of the device's primary context.
final class GreenContext {
    let context: UnsafeMutablePointer<ContextState>
    let ranges: [ProcessorRange]
    let serial: UInt64

    init(context: UnsafeMutablePointer<ContextState>, ranges: [ProcessorRange], serial: UInt64) {
        self.context = context
        self.ranges = ranges
        self.serial = serial
    }

    /// All its processors as one range: splits hand out neighbours.
    var processors: ProcessorRange {
        var range = ranges.first ?? ProcessorRange(device: context.pointee.device, first: 0, count: 0)
        for other in ranges.dropFirst() {
            range.first = min(range.first, other.first)
            range.count &+= other.count
        }
        return range
    }
}

extension CUDADriver {
    // SAFETY: only touched under `tablesLock`.
    nonisolated(unsafe) private static var greenContexts: [(handle: OpaquePointer, green: GreenContext)] = []

    private static func withGreen(_ handle: CUgreenCtx?, _ body: (GreenContext) -> CUresult) -> CUresult {
        guard Session.isReady else { return CUresult(status: Session.status) }
        guard let green = object(handle, .greenContext, as: GreenContext.self) else {
            return CUDA_ERROR_INVALID_HANDLE
        }
        return body(green)
    }

    /// The green context that a context comes from, with its handle.
    static func green(
        of context: UnsafeMutablePointer<ContextState>?
    ) -> (handle: OpaquePointer, green: GreenContext)? {
        guard let context, context.pointee.base != nil else { return nil }
        tablesLock.acquire()
        defer { tablesLock.release() }
        for entry in greenContexts where entry.green.context == context { return entry }
        return nil
    }

    /// The corresponding C function is `cuGreenCtxCreate`.
    public static func greenCtxCreate(
        _ result: UnsafeMutablePointer<CUgreenCtx?>?, _ handle: CUdevResourceDesc?, _ ordinal: CUdevice,
        _ flags: UInt32
    ) -> CUresult {
        guard let result, flags == CU_GREEN_CTX_DEFAULT_STREAM.rawValue else { return CUDA_ERROR_INVALID_VALUE }
        return withDevice(ordinal) { device in
            guard let description = object(handle, .resourceDescription, as: ResourceDescription.self),
                description.ranges.first?.device == ordinal
            else { return CUDA_ERROR_INVALID_VALUE }
            var primary: CUcontext?
            let status = devicePrimaryCtxRetain(&primary, ordinal)
            guard status == CUDA_SUCCESS else { return status }
            guard let base = contextState(primary), let context = makeContext(on: device) else {
                _ = devicePrimaryCtxRelease(ordinal)
                return CUDA_ERROR_OUT_OF_MEMORY
            }
            context.pointee.base = base
            context.pointee.id = base.pointee.id
            let serial = nextSerial()
            details(of: context).serial = serial
            context.pointee.isAlive = true
            let green = GreenContext(context: context, ranges: description.ranges, serial: serial)
            let object = Unmanaged.passRetained(green)
            guard let made = makeHandle(.greenContext, context: context, object: object.toOpaque()) else {
                object.release()
                context.pointee.isAlive = false
                _ = devicePrimaryCtxRelease(ordinal)
                return CUDA_ERROR_OUT_OF_MEMORY
            }
            tablesLock.acquire()
            greenContexts.append((made.handle, green))
            tablesLock.release()
            result.pointee = made.handle
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuGreenCtxDestroy`. The work of its streams still ends.
    public static func greenCtxDestroy(_ handle: CUgreenCtx?) -> CUresult {
        withGreen(handle) { green in
            guard let object = endHandle(handle, .greenContext) else { return CUDA_ERROR_INVALID_HANDLE }
            let context = green.context
            tablesLock.acquire()
            greenContexts.removeAll { $0.green === green }
            let storage = details(of: context).localStorage.takeAll()
            tablesLock.release()
            storage.destroy(context: self.handle(of: context))
            for stream in streams(of: context) { _ = streamDestroy(stream) }
            context.pointee.isAlive = false
            let device = context.pointee.device
            Unmanaged<GreenContext>.fromOpaque(object).release()
            return devicePrimaryCtxRelease(device)
        }
    }

    /// The corresponding C function is `cuCtxFromGreenCtx`.
    public static func ctxFromGreenCtx(
        _ result: UnsafeMutablePointer<CUcontext?>?, _ handle: CUgreenCtx?
    ) -> CUresult {
        guard let result else { return CUDA_ERROR_INVALID_VALUE }
        return withGreen(handle) { green in
            result.pointee = self.handle(of: green.context)
            return CUDA_SUCCESS
        }
    }

    /// The corresponding C function is `cuGreenCtxGetId`.
    public static func greenCtxGetId(_ handle: CUgreenCtx?, _ id: UnsafeMutablePointer<UInt64>?) -> CUresult {
        guard let id else { return CUDA_ERROR_INVALID_VALUE }
        return withGreen(handle) { green in
            id.pointee = green.serial
            return CUDA_SUCCESS
        }
    }

    // MARK: - Resources

    /// The corresponding C function is `cuGreenCtxGetDevResource`.
    public static func greenCtxGetDevResource(
        _ handle: CUgreenCtx?, _ resource: UnsafeMutablePointer<CUdevResource>?, _ type: CUdevResourceType
    ) -> CUresult {
        withGreen(handle) { show($0.processors, resource, type) }
    }

    /// The corresponding C function is `cuCtxGetDevResource`.
    public static func ctxGetDevResource(
        _ handle: CUcontext?, _ resource: UnsafeMutablePointer<CUdevResource>?, _ type: CUdevResourceType
    ) -> CUresult {
        named(handle) { processors(of: $0, resource, type) }
    }

    /// The corresponding C function is `cuStreamGetDevResource`.
    public static func streamGetDevResource(
        _ stream: CUstream?, _ resource: UnsafeMutablePointer<CUdevResource>?, _ type: CUdevResourceType
    ) -> CUresult {
        withStream(stream) { context, _ in processors(of: context, resource, type) }
    }

    private static func processors(
        of context: UnsafeMutablePointer<ContextState>, _ resource: UnsafeMutablePointer<CUdevResource>?,
        _ type: CUdevResourceType
    ) -> CUresult {
        guard context.pointee.isAlive else { return CUDA_ERROR_CONTEXT_IS_DESTROYED }
        if let found = green(of: context) { return show(found.green.processors, resource, type) }
        return withDevice(context.pointee.device) { show(allProcessors($0), resource, type) }
    }

    // MARK: - Streams and events

    /// The corresponding C function is `cuGreenCtxStreamCreate`.
    public static func greenCtxStreamCreate(
        _ result: UnsafeMutablePointer<CUstream?>?, _ handle: CUgreenCtx?, _ flags: UInt32, _ priority: Int32
    ) -> CUresult {
        guard let result, flags == CU_STREAM_NON_BLOCKING.rawValue else { return CUDA_ERROR_INVALID_VALUE }
        return withGreen(handle) { green in
            inside(green.context) { streamCreateWithPriority(result, flags, priority) }
        }
    }

    /// Runs `body` with a context current.
    private static func inside(
        _ context: UnsafeMutablePointer<ContextState>, _ body: () -> CUresult
    ) -> CUresult {
        guard let thread = ThreadState.mine else { return CUDA_ERROR_OUT_OF_MEMORY }
        ContextStack.push(context, on: thread)
        defer { _ = ContextStack.pop(from: thread) }
        return body()
    }

    /// The streams that a program made in a context.
    private static func streams(of context: UnsafeMutablePointer<ContextState>) -> [CUstream] {
        guard let handleRegion else { return [] }
        var streams: [CUstream] = []
        for slot in 1..<max(1, handleRegion.pointee.usedSlotCount) {
            let entry = handleRegion.pointee.entry(slot)
            guard entry.pointee.context == context, entry.pointee.kind == HandleKind.stream.rawValue,
                let stream = CUstream(bitPattern: handleRegion.pointee.handle(slot))
            else { continue }
            streams.append(stream)
        }
        return streams
    }

    /// Records an event behind the work of all streams of a context: one stream waits for every other.
    private static func record(_ event: CUevent?, behind context: UnsafeMutablePointer<ContextState>) -> CUresult {
        guard eventID(event) != nil else { return CUDA_ERROR_INVALID_HANDLE }
        ThreadState.mine?.pointee.route = nil
        return inside(context) {
            var joint: CUstream?
            var mark: CUevent?
            var status = streamCreate(&joint, context.pointee.base == nil ? 0 : 1)
            guard status == CUDA_SUCCESS else { return status }
            status = eventCreate(&mark, CU_EVENT_DISABLE_TIMING.rawValue)
            for stream in streams(of: context) where status == CUDA_SUCCESS && stream != joint {
                status = eventRecord(mark, stream)
                if status == CUDA_SUCCESS { status = streamWaitEvent(joint, mark, 0) }
            }
            if status == CUDA_SUCCESS { status = eventRecord(event, joint) }
            _ = eventDestroy(mark)
            _ = streamDestroy(joint)
            return status
        }
    }

    /// Lets all streams of a context wait for an event.
    private static func wait(_ event: CUevent?, in context: UnsafeMutablePointer<ContextState>) -> CUresult {
        guard eventID(event) != nil else { return CUDA_ERROR_INVALID_HANDLE }
        ThreadState.mine?.pointee.route = nil
        return inside(context) {
            var status = context.pointee.base == nil ? streamWaitEvent(nil, event, 0) : CUDA_SUCCESS
            for stream in streams(of: context) where status == CUDA_SUCCESS {
                status = streamWaitEvent(stream, event, 0)
            }
            return status
        }
    }

    /// The corresponding C function is `cuGreenCtxRecordEvent`.
    public static func greenCtxRecordEvent(_ handle: CUgreenCtx?, _ event: CUevent?) -> CUresult {
        withGreen(handle) { record(event, behind: $0.context) }
    }

    /// The corresponding C function is `cuGreenCtxWaitEvent`.
    public static func greenCtxWaitEvent(_ handle: CUgreenCtx?, _ event: CUevent?) -> CUresult {
        withGreen(handle) { wait(event, in: $0.context) }
    }

    /// The corresponding C function is `cuCtxRecordEvent`.
    public static func ctxRecordEvent(_ handle: CUcontext?, _ event: CUevent?) -> CUresult {
        named(handle) { record(event, behind: $0) }
    }

    /// The corresponding C function is `cuCtxWaitEvent`.
    public static func ctxWaitEvent(_ handle: CUcontext?, _ event: CUevent?) -> CUresult {
        named(handle) { wait(event, in: $0) }
    }
}
