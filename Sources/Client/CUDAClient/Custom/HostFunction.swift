public import CCUDA
internal import ClientRuntime
internal import Primitives
internal import WireProtocol

/// Functions of the program that streams run, by token, until the worker asks for them.
enum HostFunctions {
    // SAFETY: a C function and its argument; the program promises that both can be used from the driver's thread.
    struct Call: @unchecked Sendable {
        var token: UInt64
        var function: CUhostFn?
        var callback: CUstreamCallback?
        var stream: CUstream?
        var userData: UnsafeMutableRawPointer?
        var context: UnsafeMutablePointer<ContextState>
        /// The newest download that must be here before it runs.
        var newestDownload: UInt64
    }

    // SAFETY: only touched under `lock`.
    nonisolated(unsafe) static var calls: [Call] = []
    nonisolated(unsafe) static var lastToken: UInt64 = 0
    nonisolated(unsafe) static var links: [EventsLink] = []
    nonisolated(unsafe) static var workers: [Worker] = []
    static let lock = Lock()

    /// Makes sure that the worker can reach this process.
    static func connect(_ worker: Worker) -> Bool {
        lock.acquire()
        defer { lock.release() }
        if workers.contains(worker) { return true }
        let requests = HostRequests(
            call: { run($0) },
            take: { token, byteCount, receive in HostCalls.find(token)?.receive(byteCount, receive) },
            give: { token, byteCount, send in HostCalls.find(token)?.send(byteCount, send) })
        guard let link = EventsLink.start(worker: worker, requests) else { return false }
        links.append(link)
        workers.append(worker)
        return true
    }

    static func add(_ call: Call) -> UInt64 {
        lock.acquire()
        defer { lock.release() }
        lastToken &+= 1
        var call = call
        call.token = lastToken
        calls.append(call)
        return lastToken
    }

    static func take(_ token: UInt64) -> Call? {
        lock.acquire()
        defer { lock.release() }
        for (index, call) in calls.enumerated() where call.token == token { return calls.remove(at: index) }
        return nil
    }

    private static func run(_ token: UInt64) {
        if token & HostCalls.flag != 0 {
            HostCalls.find(token)?.run()
            return
        }
        guard let call = take(token) else { return }
        Downloads.collectForHostFunction(call.context, through: call.newestDownload)
        call.function?(call.userData)
        guard let callback = call.callback else { return }
        callback(call.stream, CUresult(status: call.context.pointee.stickyStatus), call.userData)
    }
}

extension CUDADriver {
    /// The corresponding C function is `cuLaunchHostFunc`.
    public static func launchHostFunc(
        _ stream: CUstream?, _ function: CUhostFn?, _ userData: UnsafeMutableRawPointer?
    ) -> CUresult {
        guard function != nil else { return CUDA_ERROR_INVALID_VALUE }
        return enqueue(stream, function, nil, userData)
    }

    /// The corresponding C function is `cuLaunchHostFunc_v2`.
    public static func launchHostFuncV2(
        _ stream: CUstream?, _ function: CUhostFn?, _ userData: UnsafeMutableRawPointer?, _ mode: UInt32
    ) -> CUresult {
        guard mode <= 1 else { return CUDA_ERROR_INVALID_VALUE }
        return launchHostFunc(stream, function, userData)
    }

    /// The corresponding C function is `cuStreamAddCallback`.
    public static func streamAddCallback(
        _ stream: CUstream?, _ callback: CUstreamCallback?, _ userData: UnsafeMutableRawPointer?, _ flags: UInt32
    ) -> CUresult {
        guard callback != nil, flags == 0 else { return CUDA_ERROR_INVALID_VALUE }
        return enqueue(stream, nil, callback, userData)
    }

    private static func enqueue(
        _ stream: CUstream?, _ function: CUhostFn?, _ callback: CUstreamCallback?, _ userData: UnsafeMutableRawPointer?
    ) -> CUresult {
        guard let id = streamID(stream) else { return CUDA_ERROR_INVALID_HANDLE }
        return routed { target in
            let captured = Captures.add(to: id, target) {
                // A callback is told its stream, which a graph does not have.
                callback == nil ? .host(HostWork(function, userData)) : nil
            }
            if let captured { return captured }
            guard HostFunctions.connect(Worker(state: target.context.pointee.worker)) else {
                return CUDA_ERROR_DEVICE_UNAVAILABLE
            }
            // The function may look at memory that the device wrote, so that work must be done and its results here.
            // What was copied to pinned memory comes with the function itself.
            if Mirrors.mayBeNewer(of: target.context.pointee.worker) {
                _ = target.call(StreamSynchronize(hStream: id))
                Mirrors.deviceIsIdle(target, .stream(target.key(of: id)))
            }
            let token = HostFunctions.add(
                HostFunctions.Call(
                    token: 0, function: function, callback: callback, stream: stream, userData: userData,
                    context: target.context, newestDownload: Downloads.newest))
            let status = target.send(HostFunction(stream: id, token: token))
            if status != CUDA_SUCCESS { _ = HostFunctions.take(token) }
            return status
        }
    }

    /// Has the bytes of earlier downloads come in stream order, for a graph whose host nodes may read them.
    static func collectDownloads(inStream id: UInt64, _ target: CallTarget) {
        let newest = Downloads.newest
        guard newest > 0 else { return }
        let token = HostFunctions.add(
            HostFunctions.Call(
                token: 0, function: nil, callback: nil, stream: nil, userData: nil, context: target.context,
                newestDownload: newest))
        if target.send(HostFunction(stream: id, token: token)) != CUDA_SUCCESS { _ = HostFunctions.take(token) }
    }
}
