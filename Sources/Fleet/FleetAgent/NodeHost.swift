public import FleetModel
import Glibc
public import NodeAgent
import NodeModel
import Synchronization

/// Makes vGPUs by the node's own agent, which the daemon runs.
public struct NodeHost: VirtualGPUHost {
    private let agent: NodeAgent

    /// Uses a node's agent.
    public init(_ agent: NodeAgent) {
        self.agent = agent
    }

    public var milliProcessors: Int64 { Int64(max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))) * 1000 }

    public var memory: MemoryQuantity { MemoryQuantity(mebibytes: Int64(Machine.memoryByteCount() >> 20)) }

    public func devices() -> [FleetModel.DeviceReport] {
        agent.devices.map { device in
            let isSoftware = device.kind == .software
            return FleetModel.DeviceReport(
                id: device.id.rawValue, vendor: isSoftware ? "software" : "nvidia",
                model: isSoftware ? "software" : device.name,
                memory: MemoryQuantity(mebibytes: Int64(clamping: device.memory.wholeMebibytes)))
        }
    }

    public func start(
        _ vgpu: Resource<VirtualGPUSpec>, address: String, onEvent: @escaping @Sendable (VirtualGPUEvent) -> Void
    ) -> any HeldVirtualGPU {
        let spec = vgpu.spec
        var request = GPURequest(
            memory: .mebibytes(UInt64(clamping: spec.memory.limit.mebibytes)),
            compute: ComputeShare(percent: Int(spec.compute.limit.value)) ?? .whole, count: spec.devices.count,
            name: String(vgpu.metadata.name.prefix(GPURequest.nameByteCountMax)),
            transport: agent.remoteTransport, program: spec.workload)
        request.devices = spec.devices.map(DeviceID.init(rawValue:))
        request.address = address
        return NodeHeldVirtualGPU(request, agent: agent, onEvent: onEvent)
    }
}

/// A lease of the node's agent, held for a control plane.
private final class NodeHeldVirtualGPU: HeldVirtualGPU {
    private struct State {
        var lease: LeaseID?
        var program: ProgramProcess?
        var hasEnded = false
        var isStopped = false
    }

    private let agent: NodeAgent
    private let onEvent: @Sendable (VirtualGPUEvent) -> Void
    private let state = Mutex(State())

    init(_ request: GPURequest, agent: NodeAgent, onEvent: @escaping @Sendable (VirtualGPUEvent) -> Void) {
        self.agent = agent
        self.onEvent = onEvent
        let lease = agent.hold(request) { [self] reply in take(reply) }
        state.withLock { $0.lease = lease }
    }

    private func take(_ reply: ControlReply) {
        switch reply {
        case .granted(let granted): onEvent(.serves(describe(granted)))
        case .refused(let failure): end(nil, failure.message)
        case .lost(let id, let how): end(nil, "The worker of \(id) \(how.message).")
        default: break
        }
    }

    private func describe(_ granted: GrantedLease) -> GrantedVGPU {
        GrantedVGPU(
            endpoints: granted.members.map(\.endpoint),
            localEndpoints: granted.members.map { "shm://" + agent.socketPath(of: $0.id) },
            uuids: granted.members.map(\.uuid), token: granted.token,
            isSoftware: granted.members.contains { $0.kind == .software })
    }

    /// Tells the end once, when the lease's devices are on their way to be free.
    private func end(_ exitStatus: Int64?, _ message: String?) {
        let (isFirst, lease, program) = state.withLock { state in
            defer { state.hasEnded = true }
            return (!state.hasEnded, state.lease, state.program)
        }
        guard isFirst else { return }
        program?.stop()
        guard let lease else { return onEvent(.ended(exitStatus: exitStatus, message: message)) }
        agent.release(lease) { [onEvent] in onEvent(.ended(exitStatus: exitStatus, message: message)) }
    }

    func run(_ command: [String], environment: [String: String], directory: String?, logFile: String) {
        let program = ProgramProcess()
        let isWanted = state.withLock { state in
            guard !state.hasEnded else { return false }
            state.program = program
            return true
        }
        guard isWanted else { return }
        program.start(command, environment: environment, directory: directory, logFile: logFile) {
            [self] status, reason in
            end(Int64(status), reason)
        }
    }

    func stop() {
        end(nil, nil)
    }
}
