import ArgumentParser
import FleetModel
import Foundation
import Glibc
import Logging
import NodeAgent
import NodeModel

/// `roost up`: starts the daemon.
struct UpCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "up",
        abstract: "Start the daemon with this machine's devices.",
        discussion: """
            The daemon keeps the devices of this machine and starts a worker for each vGPU. It serves this user only, \
            through a socket in its state directory. Where it runs already, this says so and changes nothing.

            EXAMPLES
              roost up
              roost up --software-gpus 2 --device-memory 4GiB
              roost up --tls-certificate node.crt --tls-key node.key   # other machines reach workers encrypted
              roost up --foreground          # for a service manager: logs to stderr, ends on SIGTERM
            """)

    @OptionGroup var state: StateOptions

    @Option(
        name: .customLong("software-gpus"),
        help: ArgumentHelp(
            "How many software GPUs to offer. Default: 1 where the machine has no GPU with a driver, else 0.",
            valueName: "count"))
    var softwareDeviceCount: Int?

    @Option(
        name: .customLong("device-memory"),
        help: ArgumentHelp(
            "Memory of each software GPU. Default: half of the machine's memory among them, at most 8GiB each.",
            valueName: "size"))
    var deviceMemory: MemorySize?

    @OptionGroup var tls: TLSIdentityOptions

    @Flag(help: "Stay in the foreground and log to the standard error.")
    var foreground = false

    @Option(name: .customLong("ready-fd"), help: .hidden)
    var readyDescriptor: Int32?

    func validate() throws {
        guard (1...SoftwareDevices.countMax).contains(softwareDeviceCount ?? 1) else {
            throw ValidationError("--software-gpus takes 1 to \(SoftwareDevices.countMax).")
        }
        if let deviceMemory, deviceMemory < .mebibytes(1) {
            throw ValidationError("--device-memory takes at least 1MiB.")
        }
    }

    func run() throws {
        if foreground { return try serve() }
        let directory = state.directory
        if let daemon = try runningDaemon(directory) {
            writeLine("Roost runs already (process \(daemon.processID), state in \(daemon.stateDirectory)).")
            return
        }
        let installation = Installation(environment: ProcessInfo.processInfo.environment)
        try installation.checkWorker()
        try start(directory)
        let report = try state.report()
        writeLine(
            "Roost runs (process \(report.daemon.processID), state in \(directory.path)).\n"
                + NodeTables.devices(report.devices).text + "\nNext: roost run -- <program>")
    }

    private func runningDaemon(_ directory: StateDirectory) throws -> DaemonDescription? {
        do {
            let channel = try SocketControlChannel.connect(directory)
            defer { channel.close() }
            guard case .daemon(let daemon) = try channel.ask(.describe) else { throw CommandFailure.unexpectedReply }
            return daemon
        } catch let error as AgentError where error.code == .notRunning {
            return nil
        }
    }

    private func start(_ directory: StateDirectory) throws {
        var arguments = [
            "up", "--foreground", "--state-dir", directory.path, "--ready-fd", "\(DaemonLauncher.readyDescriptor)",
        ]
        if let softwareDeviceCount { arguments += ["--software-gpus", "\(softwareDeviceCount)"] }
        if let deviceMemory { arguments += ["--device-memory", "\(deviceMemory.byteCount)"] }
        if let identity = tls.identity {
            arguments += ["--tls-certificate", identity.certificate, "--tls-key", identity.key]
        }
        let launcher = DaemonLauncher(
            executable: Installation.executable, arguments: arguments, environment: inheritedEnvironment(),
            directory: directory)
        try launcher.launch { writeNote("Starting the daemon …") }
    }

    /// Is the daemon.
    private func serve() throws {
        let environment = ProcessInfo.processInfo.environment
        let installation = Installation(environment: environment)
        try installation.checkWorker()
        let discovery = DriverDiscovery(workerExecutable: installation.worker, environment: inheritedEnvironment())
        let found = discovery.devices()
        let devices =
            found
            + SoftwareDevices.describe(
                count: softwareDeviceCount ?? (found.isEmpty ? 1 : 0), memory: deviceMemory,
                machineMemory: MemorySize(byteCount: Machine.memoryByteCount()))
        let directory = state.directory
        var setting = AgentSetting(
            directory: directory, devices: devices, workerExecutable: installation.worker,
            environment: inheritedEnvironment())
        if let identity = tls.identity {
            _ = try identity.pin()
            setting.identity = identity
        }
        LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
        let daemon = Daemon(setting, version: ReleaseVersion.current.description, log: Logger(label: "roost"))
        // A daemon must not hold on to the folder that it was started in.
        if readyDescriptor != nil { chdir("/") }
        let membership = Membership(directory: directory, installation: installation, environment: environment)
        try daemon.run { agent in
            membership.start(agent)
            guard let readyDescriptor else { return writeNote("Roost serves at \(directory.path).") }
            let line = Array("ready\n".utf8)
            write(readyDescriptor, line, line.count)
            close(readyDescriptor)
        }
    }

    /// The caller's environment without what belongs to one program's vGPU.
    private func inheritedEnvironment() -> [String: String] {
        var environment = ProcessInfo.processInfo.environment
        for name in ["ROOST_TOKEN", "ROOST_ENDPOINT", "ROOST_VGPU", "ROOST_STRICT"] { environment[name] = nil }
        return environment
    }
}
