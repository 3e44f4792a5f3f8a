import Foundation
import Glibc
import NodeModel

/// The folder where a daemon keeps its sockets, tokens and logs. Whoever can enter it can use the vGPUs.
public struct StateDirectory: Sendable, Hashable {
    /// The longest path of a Unix socket, in bytes: `sun_path` without its terminator.
    static let socketPathByteCountMax = 107
    /// What the longest name of a vGPU's socket adds to the path.
    private static let longestSocketName = "/vgpus/vgpu-xxxxxxxx/worker.sock"

    /// The folder, absolute.
    public let path: String

    /// Names a folder; a relative path counts from the working directory.
    public init(path: String) {
        let absolute = path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
        self.path = URL(fileURLWithPath: absolute).standardizedFileURL.path
    }

    /// Picks the folder: the flag, else ROOST_STATE_DIR, else a place that belongs to the user.
    public init(flag: String?, environment: [String: String], userID: UInt32? = nil) {
        let runtime = environment["XDG_RUNTIME_DIR"].flatMap { $0.isEmpty ? nil : $0 + "/roost" }
        let named = flag ?? environment["ROOST_STATE_DIR"].flatMap { $0.isEmpty ? nil : $0 }
        self.init(path: named ?? runtime ?? "/tmp/roost-\(userID ?? geteuid())")
    }

    /// Where the daemon answers.
    public var controlSocket: String { path + "/control.sock" }
    /// Locked by the daemon while it runs.
    public var lockFile: String { path + "/daemon.lock" }
    /// What a detached daemon writes.
    public var daemonLog: String { path + "/daemon.log" }
    /// Which pool the node belongs to, and what lets it in.
    public var membership: String { path + "/membership.json" }
    /// The key and the certificates that the machine has as a pool's node.
    public var identity: String { path + "/identity" }
    /// The key and the certificate that the machine made for itself.
    public var ownIdentity: String { path + "/own-identity" }
    /// A log for each worker.
    public var workerLogs: String { path + "/logs" }
    /// A folder for each vGPU.
    public var vgpus: String { path + "/vgpus" }

    /// A vGPU's folder.
    func folder(of vgpu: VirtualGPUID) -> String { "\(vgpus)/\(vgpu)" }
    /// A vGPU's Unix socket.
    func socket(of vgpu: VirtualGPUID) -> String { folder(of: vgpu) + "/worker.sock" }
    /// A vGPU's secret.
    func tokenFile(of vgpu: VirtualGPUID) -> String { folder(of: vgpu) + "/token" }
    /// A worker's log.
    func log(of vgpu: VirtualGPUID) -> String { "\(workerLogs)/\(vgpu).log" }

    // MARK: - Checks

    /// Checks that sockets in this folder have short enough paths.
    public func checkSocketLength() throws {
        let length = path.utf8.count + StateDirectory.longestSocketName.utf8.count
        guard length <= StateDirectory.socketPathByteCountMax else {
            let max = StateDirectory.socketPathByteCountMax - StateDirectory.longestSocketName.utf8.count
            throw AgentError(
                .stateDirectory,
                "The state directory's path is too long for Unix sockets: \(path) has \(path.utf8.count) bytes and may "
                    + "have \(max). Choose a shorter one with --state-dir or ROOST_STATE_DIR.")
        }
    }

    /// Checks that the folder is there, is the user's own, and that nobody else can enter it.
    public func check() throws {
        var status = stat()
        guard lstat(path, &status) == 0 else {
            guard errno == ENOENT else { throw AgentError.system("can't look at the state directory \(path)") }
            throw AgentError(.notRunning, "No daemon runs: there is no \(path). Start one with `roost up`.")
        }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            throw AgentError(.stateDirectory, "\(path) is no folder. Choose another with --state-dir.")
        }
        guard status.st_uid == geteuid() else {
            throw AgentError(
                .stateDirectory,
                "\(path) belongs to user \(status.st_uid), not to you. Choose another folder with --state-dir.")
        }
        guard status.st_mode & 0o077 == 0 else {
            throw AgentError(
                .stateDirectory,
                "Others can enter \(path), and so could use your vGPUs. Run `chmod 700 \(path)`, or choose another "
                    + "folder with --state-dir.")
        }
    }

    /// Makes the folder and what belongs in it.
    public func prepare() throws {
        try checkSocketLength()
        if mkdir(path, 0o700) != 0, errno != EEXIST {
            guard errno == ENOENT else { throw AgentError.system("can't make the state directory \(path)") }
            try makeFolders(path)
        }
        try check()
        try makeFolders(vgpus)
        try makeFolders(workerLogs)
    }

    private func makeFolders(_ path: String) throws {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw AgentError(
                .stateDirectory,
                "Can't make \(path): \(error.localizedDescription). Choose another folder with --state-dir.")
        }
    }

    /// Makes a vGPU's folder with its secret, readable by this user only.
    func makeFolder(of vgpu: VirtualGPUID, token: String) throws {
        try makeFolders(folder(of: vgpu))
        let file = try Descriptor.open(tokenFile(of: vgpu), O_WRONLY | O_CREAT | O_EXCL)
        let bytes = Array((token + "\n").utf8)
        guard write(file.number, bytes, bytes.count) == bytes.count else {
            throw AgentError.system("can't write \(tokenFile(of: vgpu))")
        }
    }

    /// Removes a vGPU's folder.
    func removeFolder(of vgpu: VirtualGPUID) {
        try? FileManager.default.removeItem(atPath: folder(of: vgpu))
    }

    /// Removes what a daemon that was killed left behind. Its workers ended with it.
    func removeLeftovers() throws {
        try? FileManager.default.removeItem(atPath: vgpus)
        try? FileManager.default.removeItem(atPath: workerLogs)
        unlink(controlSocket)
        try makeFolders(vgpus)
        try makeFolders(workerLogs)
    }
}

/// The hold of one daemon on a state directory. Ends with the process, however it ends.
final class StateLock: Sendable {
    private let file: Descriptor

    /// Takes the lock.
    ///
    /// - Throws: ``AgentError`` with `alreadyRunning` where another daemon has it.
    init(_ directory: StateDirectory) throws {
        file = try Descriptor.open(directory.lockFile, O_RDWR | O_CREAT)
        guard flock(file.number, LOCK_EX | LOCK_NB) == 0 else {
            guard errno == EWOULDBLOCK else { throw AgentError.system("can't lock \(directory.lockFile)") }
            throw AgentError(
                .alreadyRunning,
                "A daemon uses \(directory.path) already. `roost down` ends it; --state-dir chooses another folder.")
        }
    }
}
