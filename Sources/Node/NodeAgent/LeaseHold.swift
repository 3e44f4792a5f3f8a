public import NodeModel
import Synchronization

/// A client's hold on its vGPUs, from the grant to the release. They are also given back when the process ends, however
/// it ends: the kernel closes the connection then.
public final class LeaseHold: Sendable {
    private let channel: any ControlChannel
    private let isReleased = Mailbox<Bool>()
    private let isReleasing = Atomic<Bool>(false)

    /// What a program must be told about while it runs.
    public enum Loss: Sendable, Equatable {
        /// A vGPU is gone.
        case vgpu(VirtualGPUID, WorkerEnd)
        /// The daemon is gone, and all vGPUs with it.
        case daemon
    }

    /// Listens on a thread of its own to what the daemon tells about the vGPUs.
    ///
    /// - Parameters:
    ///   - channel: The connection that they were granted on. Nobody else may receive from it any more.
    ///   - onLoss: Called on that thread.
    public init(_ channel: any ControlChannel, onLoss: @escaping @Sendable (Loss) -> Void) {
        self.channel = channel
        startThread(named: "lease") { [self] in
            while let reply = try? channel.receive(timeout: nil) {
                switch reply {
                case .lost(let vgpu, let end): onLoss(.vgpu(vgpu, end))
                case .released: isReleased.put(true)
                default: break
                }
            }
            if !isReleasing.load(ordering: .acquiring) { onLoss(.daemon) }
            isReleased.put(false)
        }
    }

    /// Gives the vGPUs back and waits until the daemon knows, so that a program that follows at once finds their room.
    public func release() {
        isReleasing.store(true, ordering: .releasing)
        try? channel.send(.release)
        _ = isReleased.take(until: .now + .seconds(2))
        channel.close()
    }
}
