import ArgumentParser
import NodeAgent
import NodeModel

/// `roost down`: ends the daemon.
struct DownCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "down",
        abstract: "End the daemon and all of its workers.",
        discussion: """
            Programs that still hold vGPUs get a CUDA error at their next call; they are named. With --if-idle nothing \
            happens while a program holds one. Where no daemon runs, this says so and succeeds.

            EXAMPLES
              roost down
              roost down --if-idle
            """)

    @OptionGroup var state: StateOptions

    @Flag(name: .customLong("if-idle"), help: "End only if no program holds a vGPU; else fail.")
    var onlyIfIdle = false

    func run() throws {
        let channel: any ControlChannel
        do {
            channel = try state.connect()
        } catch let error as AgentError where error.code == .notRunning {
            writeLine("Roost does not run at \(state.directory.path).")
            return
        }
        defer { channel.close() }
        switch try channel.ask(.shutDown(onlyIfIdle: onlyIfIdle)) {
        case .busy(let held):
            throw CommandFailure(
                status: CommandExit.failure,
                message: "Programs hold vGPUs: \(DownCommand.name(held)). Wait for them, or run `roost down` without "
                    + "--if-idle.")
        case .shuttingDown(let ending):
            if !ending.isEmpty { writeNote("roost: took vGPUs from programs: \(DownCommand.name(ending))") }
            // The daemon's end closes the connection.
            while try channel.receive(timeout: .seconds(20)) != nil {}
            writeLine("Roost ended.")
        default:
            throw CommandFailure.unexpectedReply
        }
    }

    static func name(_ vgpus: [VirtualGPUReport]) -> String {
        vgpus.map { "\($0.id) (\($0.name), process \($0.clientProcessID ?? 0))" }.joined(separator: ", ")
    }
}
