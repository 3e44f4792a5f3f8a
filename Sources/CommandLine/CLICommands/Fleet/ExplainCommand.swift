import ArgumentParser
import FleetModel

/// `roost explain`: what kinds and fields mean.
struct ExplainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Explain kinds of resources and their fields.",
        discussion: """
            Needs no control plane.

            EXAMPLES
              roost explain
              roost explain workload
              roost explain workload.spec.resources.memory
            """)

    @Argument(
        help: ArgumentHelp("A kind, and fields behind it with . between.", valueName: "kind.field"),
        completion: KindArgument.completion)
    var subject: String?

    @Flag(help: "Write the page of all kinds as Markdown.")
    var markdown = false

    func validate() throws {
        if markdown, subject != nil {
            throw ValidationError("--markdown writes all kinds; leave \(subject ?? "") out.")
        }
        if let subject { _ = try FieldReference.text(of: subject) }
    }

    func run() throws {
        if markdown { return Console.standard(environment: [:]).text(FieldReference.markdown) }
        writeLine(try subject.map(FieldReference.text) ?? FieldReference.kinds)
    }
}
