/// Everything that a worker is told when it starts, but for its secret.
public struct WorkerSetting: Sendable, Hashable {
    /// The vGPU.
    public var vgpu: VirtualGPU
    /// How its device runs kernels.
    public var kind: DeviceKind
    /// The device's name for people.
    public var deviceName: String
    /// The device's ordinal in its driver, and the driver's library where it is not the system's.
    public var ordinal: Int?
    public var driver: String?
    /// Where to serve.
    public var listenEndpoints: [String]
    /// What the worker shows to clients that come with TLS; only needed where it listens for those.
    public var identity: TLSIdentityFiles?
    /// The file with the secret.
    public var tokenFile: String
    /// The descriptor on which to write `ready`.
    public var readyDescriptor: Int32

    /// Describes a worker to start.
    public init(
        vgpu: VirtualGPU, kind: DeviceKind, deviceName: String, listenEndpoints: [String], tokenFile: String,
        readyDescriptor: Int32
    ) {
        self.vgpu = vgpu
        self.kind = kind
        self.deviceName = deviceName
        self.listenEndpoints = listenEndpoints
        self.tokenFile = tokenFile
        self.readyDescriptor = readyDescriptor
    }

    /// The arguments of `roost-worker`, without its name.
    public var arguments: [String] {
        var arguments = ["--backend", kind.rawValue]
        for endpoint in listenEndpoints { arguments += ["--listen", endpoint] }
        // Whoever made the node listen for other machines was told that the traffic is not encrypted.
        let isRemote = listenEndpoints.contains { $0.hasPrefix("tcp://") && !$0.hasPrefix("tcp://127.") }
        if isRemote { arguments.append("--insecure") }
        if let identity, listenEndpoints.contains(where: { $0.hasPrefix("tls://") }) {
            arguments += ["--tls-certificate", identity.certificate, "--tls-key", identity.key]
        }
        arguments += ["--vram", "\(vgpu.memory.coveringMebibytes)MiB"]
        arguments += ["--compute", "\(vgpu.compute.percent)"]
        // Programs know GPUs by their names, so only a software GPU's says which vGPU it is.
        if kind == .software { arguments += ["--name", "\(deviceName) (\(vgpu.id))"] }
        if let ordinal { arguments += ["--device", "\(ordinal)"] }
        if let driver { arguments += ["--driver", driver] }
        arguments += ["--uuid", vgpu.uuid]
        arguments += ["--token-file", tokenFile, "--ready-fd", "\(readyDescriptor)"]
        if kind == .software, let capability = vgpu.computeCapability {
            arguments += ["--compute-capability", "\(capability)"]
        }
        // Either alone would do on a good day: the first works where the worker's parent is not the daemon itself, the
        // second where the worker is stuck and reads no input.
        return arguments + ["--exit-with-stdin", "--parent-death"]
    }
}
