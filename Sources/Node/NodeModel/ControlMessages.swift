/// What a client asks of the daemon: one JSON object on one line.
public enum ControlRequest: Sendable, Hashable, Codable {
    /// The version of these messages.
    public static let version = 1

    /// Who is there?
    case describe
    /// Give me vGPUs, until I release them or this connection closes.
    case acquire(GPURequest)
    /// Take the vGPUs back. A request that any client makes after the answer finds their room.
    case release
    /// What is the state of devices and vGPUs?
    case report
    /// End, with all workers; or only if no program holds a vGPU.
    case shutDown(onlyIfIdle: Bool)
    /// The file that says to which pool the node belongs has changed.
    case membershipChanged
}

/// What the daemon answers or tells: one JSON object on one line.
public enum ControlReply: Sendable, Hashable, Codable {
    /// The answer to `describe`.
    case daemon(DaemonDescription)
    /// The answer to `acquire`: the vGPUs serve.
    case granted(GrantedLease)
    /// The answer to `acquire`: there is none.
    case refused(LeaseFailure)
    /// The answer to `release`.
    case released
    /// A vGPU of this connection is gone. Comes unasked after `granted`.
    case lost(VirtualGPUID, WorkerEnd)
    /// The answer to `report`.
    case report(NodeReport)
    /// The answer to `shutDown`: these vGPUs are taken from their programs. The connection closes when the daemon ends.
    case shuttingDown(ending: [VirtualGPUReport])
    /// The answer to `shutDown(onlyIfIdle: true)`: nothing happens, since these vGPUs are held.
    case busy([VirtualGPUReport])
    /// The answer to `membershipChanged`.
    case noted
    /// The request was not understood.
    case failure(message: String)
}

/// vGPUs that serve, and the secret that opens them.
public struct GrantedLease: Sendable, Hashable, Codable {
    /// A vGPU and where it serves.
    public struct Member: Sendable, Hashable, Codable {
        /// The vGPU.
        public var id: VirtualGPUID
        /// Its UUID.
        public var uuid: String
        /// The device that it is a part of.
        public var device: DeviceID
        /// How its device runs kernels.
        public var kind: DeviceKind
        /// The endpoint for clients.
        public var endpoint: String

        /// Describes a member.
        public init(id: VirtualGPUID, uuid: String, device: DeviceID, kind: DeviceKind, endpoint: String) {
            self.id = id
            self.uuid = uuid
            self.device = device
            self.kind = kind
            self.endpoint = endpoint
        }
    }

    /// The vGPUs in the order of their ordinals.
    public var members: [Member]
    /// The secret that all of them accept.
    public var token: String

    /// Puts a lease together.
    public init(members: [Member], token: String) {
        self.members = members
        self.token = token
    }
}
