import Glibc
import Synchronization

/// Runs kernels on host threads that persist, parked, between launches.
///
/// Several launches may run at once; each is run by its caller and by the threads that are free.
// SAFETY: `jobs` and `isClosing` are guarded by `mutex`; the pthread objects are made for sharing.
public final class Executor: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let wake = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private let finished = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var jobs: [Job] = []
    private var isClosing = false
    private var threads: [pthread_t] = []

    /// Host threads that one launch may use, the caller's included.
    public let threadCount: Int

    final class Job {
        let state: LaunchState
        var helpers = 0
        init(_ state: LaunchState) { self.state = state }
    }

    /// Makes an executor; helper threads start at once and sleep until a launch has work for them.
    public init(threadCount: Int) {
        self.threadCount = max(1, threadCount)
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(wake, nil)
        pthread_cond_init(finished, nil)
        for _ in 1..<max(2, self.threadCount) where self.threadCount > 1 {
            var thread = pthread_t()
            let argument = Unmanaged.passRetained(HelperContext(self)).toOpaque()
            let status = pthread_create(
                &thread, nil,
                { raw in
                    guard let raw else { return nil }
                    let context = Unmanaged<HelperContext>.fromOpaque(raw).takeRetainedValue()
                    context.executor.takeUnretainedValue().serve()
                    return nil
                }, argument)
            if status == 0 { threads.append(thread) }
        }
    }

    deinit {
        pthread_mutex_lock(mutex)
        isClosing = true
        pthread_cond_broadcast(wake)
        pthread_mutex_unlock(mutex)
        for thread in threads { pthread_join(thread, nil) }
        pthread_mutex_destroy(mutex)
        pthread_cond_destroy(wake)
        pthread_cond_destroy(finished)
        mutex.deallocate()
        wake.deallocate()
        finished.deallocate()
    }

    /// What a helper thread gets; it must not keep the executor alive.
    final class HelperContext {
        let executor: Unmanaged<Executor>
        init(_ executor: Executor) { self.executor = .passUnretained(executor) }
    }

    /// Runs a launch to its end and returns how it ended.
    ///
    /// `output` gets what kernels print, from any host thread but never twice at once. `isCancelled` is asked often,
    /// from any host thread; once it is true the launch ends with ``FaultCode/timeout``.
    public func run(
        _ launch: Launch, memory: DeviceMemory, output: @escaping (UnsafeRawBufferPointer) -> Void = { _ in },
        isCancelled: @escaping () -> Bool = { false }
    ) -> LaunchResult {
        if let refusal = Self.refusal(of: launch) { return refusal }
        let state = LaunchState(launch, memory: memory, output: output, isCancelled: isCancelled)
        let job = Job(state)
        let runner = BlockRunner(state)
        runner.run { [self] in if threadCount > 1 { publish(job) } }
        if threadCount > 1 { withdraw(job) }
        return state.result
    }

    private static func refusal(of launch: Launch) -> LaunchResult? {
        let block = launch.block
        let sizes = [launch.grid.x, launch.grid.y, launch.grid.z, block.x, block.y, block.z]
        if sizes.contains(0) || launch.grid.x > 1 << 31 || launch.grid.y > 65535 || launch.grid.z > 65535 {
            return LaunchResult(fault: .outOfResources, message: "the grid is empty or too large")
        }
        if block.x > 1024 || block.y > 1024 || block.z > 64 || block.count > 1024 {
            return LaunchResult(fault: .outOfResources, message: "a block has more than 1024 threads")
        }
        if launch.dynamicSharedBytes < 0 || launch.dynamicSharedBytes > 1 << 20 {
            return LaunchResult(fault: .outOfResources, message: "more shared memory than the device has")
        }
        return nil
    }

    private func publish(_ job: Job) {
        pthread_mutex_lock(mutex)
        jobs.append(job)
        pthread_cond_broadcast(wake)
        pthread_mutex_unlock(mutex)
    }

    private func withdraw(_ job: Job) {
        pthread_mutex_lock(mutex)
        jobs.removeAll { $0 === job }
        while job.helpers > 0 { pthread_cond_wait(finished, mutex) }
        pthread_mutex_unlock(mutex)
    }

    private func serve() {
        pthread_mutex_lock(mutex)
        while true {
            if isClosing { break }
            guard let job = jobs.first else {
                pthread_cond_wait(wake, mutex)
                continue
            }
            job.helpers += 1
            pthread_mutex_unlock(mutex)
            BlockRunner(job.state).run {}
            pthread_mutex_lock(mutex)
            jobs.removeAll { $0 === job }
            job.helpers -= 1
            if job.helpers == 0 { pthread_cond_broadcast(finished) }
        }
        pthread_mutex_unlock(mutex)
    }
}

/// Runs blocks of one launch on one host thread.
struct BlockRunner {
    let state: LaunchState

    init(_ state: LaunchState) { self.state = state }

    /// Blocks that may be in progress at once on one thread when they wait for others.
    private static let residentLimit = 256

    /// Takes blocks in increasing order until none is left. A block that runs for long without an end shares the
    /// thread with the next ones, so blocks may wait for later blocks too. `invite` is called once, when the launch
    /// turns out to be worth more threads.
    func run(_ invite: () -> Void) {
        var invited = false
        var resident: [Block] = []
        var spare: [Block] = []
        var isExhausted = false
        var turn = 0
        let isCooperative = state.launch.isCooperative
        let limit = isCooperative ? Int.max : Self.residentLimit
        let budget = isCooperative ? 1024 : 4096
        var rounds = isCooperative ? 4 : 64
        while true {
            if !isExhausted, resident.isEmpty || (resident.count < limit && (isCooperative || state.hasRoomForBlocks)) {
                if let block = next(&spare) { resident.append(block) } else { isExhausted = true }
            }
            turn &+= 1
            let asks = resident.count > 1 || turn & 15 == 0
            if resident.isEmpty || (asks ? state.mustStop : state.hasFailed) { return }
            var index = 0
            while index < resident.count {
                switch resident[index].run(rounds: rounds, budget: budget) {
                case .more: index += 1
                case .done: spare.append(resident.remove(at: index))
                case .fault: return
                }
            }
            if resident.count > 1 { rounds = 4 }
            if !invited, monotonicNanoseconds() &- state.startTime > 50_000 {
                invited = true
                let left = state.blockCount &- min(state.blockCount, state.nextBlock.load(ordering: .relaxed))
                if left > 0 { invite() }
            }
        }
    }

    private func next(_ spare: inout [Block]) -> Block? {
        let linear = state.nextBlock.wrappingAdd(1, ordering: .relaxed).oldValue
        guard linear < state.blockCount else { return nil }
        guard let block = spare.popLast() ?? Block(state) else {
            state.fail(.outOfResources, "no host memory for a block of kernel \(state.launch.kernel.name)")
            return nil
        }
        block.start(linear)
        return block
    }
}
