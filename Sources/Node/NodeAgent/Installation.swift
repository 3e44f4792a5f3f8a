import Foundation
import Glibc
public import NodeModel

/// Where the parts of Roost are on this machine, seen from the running program.
public struct Installation: Sendable, Hashable {
    /// The folder of the running program.
    public let executableDirectory: String
    private let environment: [String: String]

    /// The running program's path.
    public static var executable: String {
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? "/usr/bin/roost"
    }

    /// Looks from the running program.
    public init(environment: [String: String]) {
        let directory = (Installation.executable as NSString).deletingLastPathComponent
        self.init(executableDirectory: directory, environment: environment)
    }

    /// Looks from a folder.
    public init(executableDirectory: String, environment: [String: String]) {
        self.executableDirectory = executableDirectory
        self.environment = environment
    }

    /// A path that a variable names, absolute: the daemon and programs may work in other folders.
    private func named(_ variable: String) -> String? {
        guard let path = environment[variable], !path.isEmpty else { return nil }
        return path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
    }

    private var prefix: String { (executableDirectory as NSString).deletingLastPathComponent }

    /// The folder of the client libraries: ROOST_LIBRARY_DIR, else `lib` beside the program's folder.
    public var libraryDirectory: String {
        named("ROOST_LIBRARY_DIR") ?? prefix + "/lib"
    }

    /// The folder of programs that users don't call.
    public var toolDirectory: String { prefix + "/libexec" }

    /// The libraries that take nvJitLink's place.
    var standIns: [String] {
        ["12", "13"].map { "\(libraryDirectory)/standin/libnvJitLink.so.\($0)" }
    }

    /// Parts that only some programs need, and that are not there.
    public var missingParts: [String] {
        ([toolDirectory + "/ptxas"] + standIns).filter { access($0, R_OK) != 0 }
    }

    /// The files that a program's environment names.
    public var clientFiles: ClientFiles {
        ClientFiles(
            libraryDirectory: libraryDirectory, toolDirectory: toolDirectory,
            standIns: standIns.filter { access($0, R_OK) == 0 })
    }

    /// The worker's program; ROOST_WORKER names another one.
    public var worker: String {
        named("ROOST_WORKER") ?? executableDirectory + "/roost-worker"
    }

    /// Checks that the worker's program can be run.
    public func checkWorker() throws {
        guard access(worker, X_OK) == 0 else {
            throw AgentError(
                .incompleteInstallation,
                "The worker's program is missing: \(worker). "
                    + "Build it with `make release`, or name it with ROOST_WORKER."
            )
        }
    }

    /// Checks that the client library is there.
    public func checkLibraries() throws {
        let library = libraryDirectory + "/libcuda.so.1"
        guard access(library, R_OK) == 0 else {
            throw AgentError(
                .incompleteInstallation,
                "The client library is missing: \(library). Build it with `make release`, or name its folder with "
                    + "ROOST_LIBRARY_DIR.")
        }
    }
}

/// What the machine has.
public enum Machine {
    /// Memory that this process may use, in bytes: the machine's, or its control group's limit where that is less.
    public static func memoryByteCount() -> UInt64 {
        let physical = UInt64(max(sysconf(Int32(_SC_PHYS_PAGES)), 0)) * UInt64(max(sysconf(Int32(_SC_PAGESIZE)), 0))
        let limit = (try? String(contentsOfFile: "/sys/fs/cgroup/memory.max", encoding: .utf8))
            .flatMap { UInt64($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
        return min(physical, limit ?? physical)
    }
}
