public import NodeModel

/// A client's hold on its vGPUs, from the grant to the release. They are also given back when the process ends, however
/// it ends: the kernel closes the connection then.
public final class LeaseHold: Sendable {
    private let channel: any ControlChannel
    private let isReleased = Mailbox<Bool>()

    /// Listens on a thread of its own to what the daemon tells about the vGPUs.
    ///
    /// - Parameters:
    ///   - channel: The connection that they were granted on. Nobody else may receive from it any more.
    ///   - onLoss: Called on that thread when a vGPU is lost.
    public init(_ channel: any ControlChannel, onLoss: @escaping @Sendable (VirtualGPUID, WorkerEnd) -> Void) {
        self.channel = channel
        startThread(named: "lease") { [isReleased] in
            while let reply = try? channel.receive(timeout: nil) {
                switch reply {
                case .lost(let vgpu, let end): onLoss(vgpu, end)
                case .released: isReleased.put(true)
                default: break
                }
            }
            isReleased.put(false)
        }
    }

    /// Gives the vGPUs back and waits until the daemon knows, so that a program that follows at once finds their room.
    public func release() {
        try? channel.send(.release)
        _ = isReleased.take(until: .now + .seconds(2))
        channel.close()
    }
}
