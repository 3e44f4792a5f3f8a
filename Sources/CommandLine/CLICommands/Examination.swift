import CPosix
import FleetModel
import Foundation
import Glibc
import NodeAgent
import NodeModel

/// The checks of `roost doctor`.
struct Examination {
    /// The oldest C library into which the client libraries load.
    private static let oldestLibraryVersion = [2, 28]

    var directory: StateDirectory
    var installation: Installation
    var environment: [String: String]

    /// All checks, in the order in which a user would look.
    func findings() -> [Finding] {
        [
            worker, clientLibrary("libcuda.so.1", needed: true), clientLibrary("libnvidia-ml.so.1", needed: false),
            standIns, instructionSet(hasAVX2: posix_cpu_has_avx2(), hasFMA: posix_cpu_has_fma()),
            libraryVersion(Examination.loadedLibraryVersion), memory, sharedMemory, stateDirectory, daemon,
            python, driver,
        ]
    }

    private var driver: Finding {
        let discovery = DriverDiscovery(workerExecutable: installation.worker, environment: environment)
        let names = discovery.devices().map(\.name)
        guard names.isEmpty else { return .ok("GPU driver", names.joined(separator: ", ")) }
        return .ok("GPU driver", "none found; `roost up` offers a software GPU")
    }

    private var worker: Finding {
        do {
            try installation.checkWorker()
            return .ok("worker", installation.worker)
        } catch {
            return .fail(
                "worker", "\(installation.worker) is missing",
                remedy: "run `make release`, or set ROOST_WORKER to the program's path")
        }
    }

    private func clientLibrary(_ name: String, needed: Bool) -> Finding {
        let path = installation.libraryDirectory + "/" + name
        if access(path, R_OK) == 0 { return .ok(name, path) }
        let remedy = "run `make release`, or set ROOST_LIBRARY_DIR to the libraries' folder"
        return needed
            ? .fail(name, "\(path) is missing", remedy: remedy)
            : .warn(name, "\(path) is missing; nvidia-smi-like tools see no vGPU", remedy: remedy)
    }

    private var standIns: Finding {
        let missing = installation.missingParts
        guard !missing.isEmpty else { return .ok("PTX stand-ins", "ptxas and nvJitLink") }
        return .warn(
            "PTX stand-ins", "missing: \(missing.joined(separator: ", "))",
            remedy: "run `make release`; without them numba-cuda and Triton hand over machine code, not PTX")
    }

    func instructionSet(hasAVX2: Bool, hasFMA: Bool) -> Finding {
        guard !hasAVX2 || !hasFMA else { return .ok("processor", "has AVX2 and FMA") }
        return .fail(
            "processor", "lacks \(hasAVX2 ? "FMA" : hasFMA ? "AVX2" : "AVX2 and FMA"), which the software GPU uses",
            remedy: "build for any x86-64 processor: `ROOST_BASELINE_CPU=1 make release`")
    }

    func libraryVersion(_ version: String) -> Finding {
        let numbers = version.split(separator: ".").compactMap { Int($0) }
        guard numbers.count >= 2, !numbers.lexicographicallyPrecedes(Examination.oldestLibraryVersion) else {
            return .fail("C library", "glibc \(version)", remedy: "use a system with glibc 2.28 or later")
        }
        return .ok("C library", "glibc \(version)")
    }

    /// The loaded C library's version, such as `2.36`.
    private static var loadedLibraryVersion: String {
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = bytes.withUnsafeMutableBytes { buffer in
            confstr(Int32(_CS_GNU_LIBC_VERSION), buffer.baseAddress?.assumingMemoryBound(to: CChar.self), buffer.count)
        }
        let text = String(decoding: bytes.prefix(max(count, 1) - 1), as: UTF8.self)
        return text.split(separator: " ").last.map(String.init) ?? "unknown"
    }

    private var memory: Finding {
        let size = MemorySize(byteCount: Machine.memoryByteCount())
        guard size < .gibibytes(2) else { return .ok("memory", size.description) }
        return .warn("memory", "\(size)", remedy: "keep vGPUs small: `roost up --device-memory 512MiB`")
    }

    private var sharedMemory: Finding {
        let descriptor = posix_memory_file("roost-doctor", 1 << 20)
        guard descriptor >= 0 else {
            return .warn(
                "shared memory", "memfd_create: \(String(cString: strerror(-descriptor)))",
                remedy: "use another carrier: `roost run --transport unix`")
        }
        defer { close(descriptor) }
        return .ok("shared memory", "memfd works")
    }

    private var stateDirectory: Finding {
        do {
            try directory.checkSocketLength()
            do {
                try directory.check()
            } catch let error as AgentError where error.code == .notRunning {
                return .ok("state directory", "\(directory.path) (made by `roost up`)")
            }
            guard access(directory.path, W_OK | X_OK) == 0 else {
                return .fail(
                    "state directory", "\(directory.path) is not writable", remedy: "choose another with --state-dir")
            }
            return .ok("state directory", directory.path)
        } catch {
            return .fail("state directory", "\(error)", remedy: "choose another with --state-dir or ROOST_STATE_DIR")
        }
    }

    private var daemon: Finding {
        do {
            let channel = try SocketControlChannel.connect(directory)
            defer { channel.close() }
            guard case .daemon(let daemon) = try channel.ask(.describe, timeout: .seconds(3)) else {
                return .fail("daemon", "answers something else", remedy: "run `roost down`, then `roost up`")
            }
            guard daemon.version == ReleaseVersion.current.description else {
                return .warn(
                    "daemon", "is version \(daemon.version), this is \(ReleaseVersion.current.description)",
                    remedy: "run `roost down`, then `roost up`")
            }
            return .ok("daemon", "process \(daemon.processID)")
        } catch let error as AgentError where error.code == .notRunning {
            return .warn("daemon", "does not run", remedy: "run `roost up`")
        } catch {
            return .fail("daemon", "\(error)", remedy: "look at \(directory.daemonLog), then `roost down`, `roost up`")
        }
    }

    private var python: Finding {
        let path = environment["PATH"] ?? ""
        let found = path.split(separator: ":").map { String($0) + "/python3" }.first { access($0, X_OK) == 0 }
        guard let found else { return .ok("python", "not found; only Python programs need it") }
        return .ok("python", found)
    }
}
