import FleetModel
import Testing

@testable import CLICommands

@Suite("Completion of names")
struct NameCompletionTests {
    @Test("A line tells kind, project, context and server, wherever its options stand")
    func line() {
        let words = [
            "roost", "get", "-o", "wide", "vgpus", "--context=work", "-p", "team", "a", "--server", "http://x", "",
        ]
        let line = CommandLineWords(words, at: words.count - 1)
        #expect(line.kind == .virtualGPU)
        #expect(line.positionals == ["vgpus", "a"])
        #expect(line.project == "team" && line.context == "work" && line.server == "http://x")
        #expect(CommandLineWords(words, at: 4).kind == nil, "the word that is typed is none of those before")
        #expect(CommandLineWords(["roost", "delete", "workload/a", ""], at: 3).kind == .workload)
        #expect(CommandLineWords(["roost", "get", "-p"], at: 3).project == nil)
        #expect(CommandLineWords(["roost"], at: 7).positionals.isEmpty)
    }

    @Test("Offered is what goes on as the word began, in order, and nothing twice")
    func offered() {
        let line = CommandLineWords(["roost", "delete", "workloads", "train", "tr"], at: 4)
        #expect(line.offered(["trial", "eval", "train", "tr-2"], "tr") == ["tr-2", "trial"])
        #expect(line.offered([], "").isEmpty)
    }
}
