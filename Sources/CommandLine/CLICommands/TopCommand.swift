import ArgumentParser
import Foundation
import Glibc
import NodeAgent
import NodeModel

/// `roost top`: a live table.
struct TopCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "top",
        abstract: "Watch devices and vGPUs.",
        discussion: """
            Redraws until interrupted. Where the standard output is no terminal, the tables follow one another, \
            without control characters.

            EXAMPLES
              roost top
              roost top -d 0.5
              roost top --once
            """)

    @OptionGroup var state: StateOptions
    @OptionGroup var output: OutputOptions

    @Flag(help: "Print once and end.")
    var once = false

    @Option(name: [.customShort("d"), .long], help: ArgumentHelp("Time between tables.", valueName: "seconds"))
    var delay = 1.0

    func validate() throws {
        guard (0.1...3600).contains(delay) else { throw ValidationError("--delay takes 0.1 to 3600 seconds.") }
    }

    func run() throws {
        let isTerminal = isatty(STDOUT_FILENO) == 1
        let channel = try state.connect()
        defer { channel.close() }
        while true {
            guard case .report(let report) = try channel.ask(.report) else { throw CommandFailure.unexpectedReply }
            let view = TopView(report)
            if once || !isTerminal {
                try output.write(json: report, table: view.text)
            } else {
                writeLine(TopCommand.redraw + view.text)
            }
            if once { return }
            // Waits for the next table; the daemon sends nothing by itself, so only its end cuts this short.
            if try channel.isClosed(within: .seconds(delay)) {
                throw AgentError(.connectionLost, "The daemon ended.")
            }
        }
    }

    /// Moves the cursor to the top left and clears what is below.
    private static let redraw = "\u{1B}[H\u{1B}[J"
}
