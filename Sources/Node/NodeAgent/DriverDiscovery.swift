import Foundation
public import NodeModel

/// Looks for GPUs with a driver, in a process of its own: a broken driver can't take the daemon along, and the daemon
/// never has one loaded.
public struct DriverDiscovery {
    /// The worker's program, which knows drivers.
    public var workerExecutable: String
    /// The driver's library; nil for the system's.
    public var driver: String?
    /// The environment that the worker inherits.
    public var environment: [String: String]
    /// How long a driver may take to list its devices.
    public var timeout: Duration = .seconds(20)

    /// Describes where to look; the variable `ROOST_DRIVER` names another driver than the system's.
    public init(workerExecutable: String, environment: [String: String]) {
        self.workerExecutable = workerExecutable
        self.environment = environment
        driver = environment["ROOST_DRIVER"]
    }

    /// The GPUs; empty where the machine has none, or where its driver does not answer.
    public func devices() -> [Device] {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: workerExecutable)
        process.arguments =
            ["--backend", "cuda", "--list-devices"] + (driver.map { ["--driver", $0] } ?? [])
        process.environment = environment
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return [] }
        let answer = Mailbox<String>()
        startThread(named: "discovery") {
            let bytes = (try? output.fileHandleForReading.readToEnd()) ?? nil
            answer.put(String(decoding: bytes ?? Data(), as: UTF8.self))
        }
        guard let text = answer.take(until: .now + timeout) else {
            kill(process.processIdentifier, SIGKILL)
            return []
        }
        process.waitUntilExit()
        return process.terminationStatus == 0 ? DriverDevices.parse(text) : []
    }
}
