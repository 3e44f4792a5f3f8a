import ArgumentParser
import FleetModel
import Foundation
import Glibc
import NodeAgent
import NodeModel

/// `roost run`: runs a program on vGPUs.
struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run a program on a vGPU of its own.",
        discussion: """
            Asks the daemon for a vGPU, sets the program's environment, runs it in this terminal, and gives the vGPU \
            back when it ends. The program needs no change. Signals reach it, and its exit status becomes this \
            command's: 128 + the signal's number where one ended it, 125 where there was no vGPU, 126 and 127 where \
            the program could not be executed or found.

            With --pool, --project, --context or --server it asks a pool's control plane (`roost login`): the program \
            runs here, its vGPU wherever the pool has room; the workload that it makes there ends with it.

            With --endpoint it uses a worker that runs elsewhere, without a daemon. The worker's token comes from \
            --token-file or from the variable ROOST_TOKEN; never from the command line, which others can read.

            EXAMPLES
              roost run -- python train.py
              roost run --vram 4GiB --compute 50% --gpus 2 -- ./a.out --steps 10
              roost run --pool main --vram 8GiB -- python train.py
              roost run --endpoint tcp://gpu-host:7070 --token-file token -- python train.py
            """)

    @OptionGroup var state: StateOptions

    @Option(help: ArgumentHelp("Memory of each vGPU.", valueName: "size"))
    var vram = MemorySize.gibibytes(1)

    @Option(help: ArgumentHelp("Share of a device's compute for each vGPU, 1 to 100 %.", valueName: "percent"))
    var compute = ComputeShare.standard

    @Option(help: ArgumentHelp("How many vGPUs the program sees.", valueName: "count"))
    var gpus = 1

    @Option(help: ArgumentHelp("The name in lists. Default: the program's.", valueName: "name"))
    var name: String?

    @Option(
        name: .customLong("compute-capability"),
        help: ArgumentHelp(
            "What generation a software GPU says it is, 7.5 to 13.0. Default: 8.0.", valueName: "major.minor"))
    var computeCapability: ComputeCapability?

    @Option(help: "What carries the calls to a worker of the daemon.")
    var transport = TransportKind.sharedMemory

    @Option(
        help: ArgumentHelp(
            "Use workers that serve here instead of asking the daemon; several with semicolons between.",
            valueName: "url"))
    var endpoint: String?

    @OptionGroup var fleet: FleetOptions

    @Option(
        help: ArgumentHelp("Ask a pool's control plane instead of this machine's daemon.", valueName: "name"),
        completion: NameCompletion.of(.pool))
    var pool: String?

    @Option(
        name: [.customShort("p"), .long],
        help: ArgumentHelp("The project in the pool. Default: the context's.", valueName: "name"),
        completion: NameCompletion.of(.project))
    var project: String?

    @Option(
        name: .customLong("token-file"),
        help: ArgumentHelp(
            "The file with the token for --endpoint; once for all endpoints or once for each, in their order.",
            valueName: "file"), completion: .file())
    var tokenFiles: [String] = []

    @Flag(
        name: .customLong("device-files"),
        help: "Let the program alone see files such as /dev/nvidia0, which JAX looks for, by a mount namespace.")
    var deviceFiles = false

    @Flag(help: "Wait after each call, so that an error shows at the call that made it. Slow.")
    var strict = false

    @Flag(name: .shortAndLong, help: "Say on the standard error which vGPUs the program gets.")
    var verbose = false

    @Argument(
        parsing: .captureForPassthrough,
        help: ArgumentHelp("The program and its arguments, after --.", valueName: "program"))
    var command: [String] = []

    /// The program and its arguments.
    var program: [String] { command.first == "--" ? Array(command.dropFirst()) : command }

    func validate() throws {
        // Whatever is no option of ours ends the options, so this one does not reach the parser.
        if ["--help", "-h"].contains(command.first) { throw CleanExit.helpRequest(self) }
        if let first = command.first, first != "--", first.hasPrefix("-") {
            throw ValidationError("Unknown option '\(first)'. Write `--` before the program.")
        }
        guard !program.isEmpty else { throw ValidationError("Which program? roost run [options] -- <program> …") }
        guard (1...GPURequest.countMax).contains(gpus) else {
            throw ValidationError("--gpus takes 1 to \(GPURequest.countMax).")
        }
        if isForPool, endpoint != nil { throw ValidationError("--endpoint names a worker, the others a pool.") }
        if !tokenFiles.isEmpty, endpoint == nil { throw ValidationError("--token-file goes with --endpoint.") }
        if let defect = request.defect { throw ValidationError(defect) }
    }

    /// What is executed: the program, or what prepares its namespace and then becomes the program.
    var executed: [String] {
        guard deviceFiles else { return program }
        let installation = Installation(environment: ProcessInfo.processInfo.environment)
        return [installation.toolDirectory + "/with-device-files"] + program
    }

    /// What is asked of the daemon.
    var request: GPURequest {
        var label = program.first.map { ($0 as NSString).lastPathComponent } ?? ""
        while label.utf8.count > GPURequest.nameByteCountMax { label.removeLast() }
        var request = GPURequest(
            memory: vram, compute: compute, count: gpus, name: name, transport: transport,
            program: label.isEmpty ? "program" : label)
        request.computeCapability = computeCapability
        return request
    }

    func run() throws {
        // Before there is any other thread: they all inherit what is blocked here.
        let runner = ProgramRunner()
        runner.startForwarding()
        let status: Int32
        if let endpoint {
            status = try runner.run(executed, environment: environment(for: try remoteSetting(endpoint)))
        } else if isForPool {
            status = try runInPool(runner)
        } else {
            status = try runLeased(runner)
        }
        throw ExitCode(status)
    }

    private func runLeased(_ runner: ProgramRunner) throws -> Int32 {
        let (channel, lease) = try acquire()
        if verbose {
            for member in lease.members { writeNote("roost: \(member.id) on \(member.device), \(member.endpoint)") }
        }
        let hold = LeaseHold(channel) { loss in
            switch loss {
            case .vgpu(let vgpu, let end):
                writeNote("roost: the worker of \(vgpu) \(end.message); the program's next CUDA call fails.")
            case .daemon:
                writeNote("roost: the daemon ended; the program's next CUDA call fails.")
            }
        }
        defer { hold.release() }
        let installation = Installation(environment: ProcessInfo.processInfo.environment)
        let setting = ClientSetting(
            endpoints: lease.members.map(\.endpoint), vgpus: lease.members.map(\.id.rawValue), token: lease.token,
            isSoftware: lease.members.contains { $0.kind == .software }, isStrict: strict,
            files: installation.clientFiles)
        return try runner.run(executed, environment: environment(for: setting))
    }

    /// Asks the daemon; every failure up to here means that the program never began.
    private func acquire() throws -> (any ControlChannel, GrantedLease) {
        do {
            try Installation(environment: ProcessInfo.processInfo.environment).checkLibraries()
            let channel = try state.connect()
            switch try channel.ask(.acquire(request), timeout: .seconds(90)) {
            case .granted(let lease): return (channel, lease)
            case .refused(let failure):
                throw CommandFailure(status: CommandExit.noVirtualGPU, message: failure.message)
            default: throw CommandFailure.unexpectedReply
            }
        } catch let error as AgentError {
            throw CommandFailure(status: CommandExit.noVirtualGPU, message: error.message)
        }
    }

    private func remoteSetting(_ endpoint: String) throws -> ClientSetting {
        let inherited = ProcessInfo.processInfo.environment
        let installation = Installation(environment: inherited)
        do {
            try installation.checkLibraries()
        } catch let error as AgentError {
            throw CommandFailure(status: CommandExit.noVirtualGPU, message: error.message)
        }
        let endpoints = endpoint.split(separator: ";").map { $0.trimmingCharacters(in: .whitespaces) }
            .filter { !$0.isEmpty }
        let tokens = try tokens(for: endpoints.count, inherited: inherited["ROOST_TOKEN"])
        let kinds = try zip(endpoints, tokens).map { try deviceKind(at: $0, token: $1) }
        let isOneForAll = Set(tokens).count == 1
        let token = isOneForAll ? tokens[0] : tokens.joined(separator: ";")
        return ClientSetting(
            endpoints: endpoints, token: token.isEmpty ? nil : token, isSoftware: kinds.contains(.software),
            isStrict: strict,
            files: installation.clientFiles)
    }

    /// A token for each endpoint: from the files, else from the variable, which has one for all or one for each.
    private func tokens(for endpointCount: Int, inherited: String?) throws -> [String] {
        guard endpointCount > 0 else {
            throw CommandFailure(status: CommandExit.noVirtualGPU, message: "--endpoint names no worker.")
        }
        var tokens = try tokenFiles.map { file in
            guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
                throw CommandFailure(
                    status: CommandExit.noVirtualGPU, message: "Can't read the token file \(file).")
            }
            return text.trimmingCharacters(in: .whitespacesAndNewlines)
        }
        if tokens.isEmpty {
            let parts = (inherited ?? "").split(separator: ";", omittingEmptySubsequences: false).map(String.init)
            tokens = parts.count == endpointCount ? parts : [inherited ?? ""]
        }
        if tokens.count == 1 { return Array(repeating: tokens[0], count: endpointCount) }
        guard tokens.count == endpointCount else {
            throw CommandFailure(
                status: CommandExit.noVirtualGPU,
                message: "There are \(tokens.count) token files for \(endpointCount) endpoints; give one, or one for "
                    + "each.")
        }
        return tokens
    }

    /// Asks a worker what its device is, so that a wrong address or token is found before the program runs.
    private func deviceKind(at endpoint: String, token: String) throws -> DeviceKind? {
        do {
            return try WorkerMonitor.deviceKind(at: endpoint, token: token, until: .now + .seconds(10))
        } catch let error as AgentError {
            throw CommandFailure(status: CommandExit.noVirtualGPU, message: error.message)
        }
    }

    private func environment(for setting: ClientSetting) -> [String: String] {
        clientEnvironment(for: setting, inheriting: ProcessInfo.processInfo.environment)
    }
}

extension ComputeShare {
    /// What a program gets that asks for nothing: four of them share a device.
    static let standard = ComputeShare(percent: 25) ?? .whole
}
