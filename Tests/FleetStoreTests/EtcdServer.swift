import EtcdFleetStore
import FleetStore
import Foundation
import Glibc

/// An etcd of its own for a test: on loopback ports that nobody uses, with a folder that goes with it.
final class EtcdServer: @unchecked Sendable {
    struct NotStarted: Error, CustomStringConvertible {
        var description: String
    }

    /// Whether this machine has the program.
    static let isInstalled = program != nil

    /// What is said where it has not.
    static let hint = "etcd is not installed here: bash Scripts/setup-debian.sh installs it"

    private static let program = ["/usr/bin/etcd", "/usr/local/bin/etcd"].first {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    let endpoint: String
    private let folder: ScratchFolder
    private let arguments: [String]
    private var process: Process?
    private var life: Pipe?

    /// Starts a server and waits until it answers; takes other ports if somebody was faster.
    static func start(arguments: [String] = []) async throws -> EtcdServer {
        var last: any Error = NotStarted(description: hint)
        for _ in 0..<5 {
            do {
                let server = try EtcdServer(arguments: arguments)
                try await server.start()
                return server
            } catch { last = error }
        }
        throw last
    }

    private init(arguments: [String]) throws {
        folder = try ScratchFolder()
        let ports = try EtcdServer.freePorts(2)
        endpoint = "http://127.0.0.1:\(ports[0])"
        let peer = "http://127.0.0.1:\(ports[1])"
        self.arguments =
            [
                "--name", "one", "--data-dir", folder.file("etcd"), "--listen-client-urls", endpoint,
                "--advertise-client-urls", endpoint, "--listen-peer-urls", peer,
                "--initial-advertise-peer-urls", peer, "--initial-cluster", "one=\(peer)", "--log-level", "error",
            ] + arguments
    }

    deinit { stop() }

    /// Starts the program, on the same ports and data as before.
    func start() async throws {
        guard let program = EtcdServer.program else { throw NotStarted(description: EtcdServer.hint) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        // The shell kills etcd when the pipe closes, so that none outlives a test that crashed.
        process.arguments = ["-c", "\"$0\" \"$@\" & read line; kill -9 $!", program] + arguments
        let life = Pipe()
        process.standardInput = life
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        self.process = process
        self.life = life
        let probe = try EtcdFleetStore(EtcdOptions(endpoints: [endpoint]))
        let isHealthy = try await answers(probe)
        await probe.close()
        if !isHealthy {
            stop()
            throw NotStarted(description: "etcd did not answer at \(endpoint)")
        }
    }

    /// Asks until the server answers, which it does once it leads itself.
    private func answers(_ probe: EtcdFleetStore) async throws -> Bool {
        let deadline = ContinuousClock.now.advanced(by: .seconds(20))
        while ContinuousClock.now < deadline, process?.isRunning == true {
            do {
                _ = try await probe.get(.test("/health"))
                return true
            } catch {
                try await Task.sleep(for: .milliseconds(20))
            }
        }
        return false
    }

    /// Kills the program, as a crash would; its data stay.
    func stop() {
        guard let process else { return }
        try? life?.fileHandleForWriting.close()
        process.waitUntilExit()
        self.process = nil
        life = nil
    }

    private static func freePorts(_ count: Int) throws -> [UInt16] {
        var sockets: [Int32] = []
        defer { for socket in sockets { close(socket) } }
        return try (0..<count).map { _ in
            let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            sockets.append(socket)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let status = withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(socket, $0, length) == 0 ? getsockname(socket, $0, &length) : -1
                }
            }
            guard status == 0 else { throw NotStarted(description: "no free port on loopback") }
            return UInt16(bigEndian: address.sin_port)
        }
    }
}

/// The server that tests share which do not disturb each other: each has a namespace of its own.
actor SharedEtcd {
    static let instance = SharedEtcd()
    private var starting: Task<EtcdServer, any Error>?

    func server() async throws -> EtcdServer {
        if let starting { return try await starting.value }
        let task = Task { try await EtcdServer.start() }
        starting = task
        return try await task.value
    }
}
