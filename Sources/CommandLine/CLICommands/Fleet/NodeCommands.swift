import ArgumentParser
import FleetModel

/// What `cordon`, `uncordon` and `drain` have in common: nodes and a change of their wishes.
struct NodeArguments: ParsableArguments {
    @Argument(help: ArgumentHelp("Nodes.", valueName: "node"), completion: NameCompletion.of(.node))
    var nodes: [String]

    func change(_ session: FleetSession, spec: JSONValue, verdict: String) async throws {
        for node in nodes {
            let reference = ResourceReference(kind: .node, name: node)
            guard try await session.connection.get(reference) != nil else { throw CommandFailure.missing(reference) }
            _ = try await session.connection.patch(reference, ["spec": spec])
            session.console.line("\(reference.title) \(verdict)")
        }
    }
}

/// `roost cordon`: nothing new goes to a node.
struct CordonCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cordon",
        abstract: "Place nothing new on a node; what is there stays.",
        discussion: """
            EXAMPLES
              roost cordon gpu-7
            """)

    @OptionGroup var fleet: FleetOptions
    @OptionGroup var arguments: NodeArguments

    func run() async throws { try await fleet.perform(perform) }

    func perform(_ session: FleetSession) async throws {
        try await arguments.change(session, spec: ["unschedulable": true], verdict: "cordoned")
    }
}

/// `roost uncordon`: a node takes work again.
struct UncordonCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "uncordon",
        abstract: "Let a node take work again, after cordon or drain.",
        discussion: """
            EXAMPLES
              roost uncordon gpu-7
            """)

    @OptionGroup var fleet: FleetOptions
    @OptionGroup var arguments: NodeArguments

    func run() async throws { try await fleet.perform(perform) }

    func perform(_ session: FleetSession) async throws {
        try await arguments.change(
            session, spec: ["unschedulable": .null, "drain": .null], verdict: "uncordoned")
    }
}

/// `roost drain`: what is on a node goes elsewhere.
struct DrainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drain",
        abstract: "Place nothing new on a node, and let what is there go elsewhere.",
        discussion: """
            Returns at once; vGPUs leave as other places are found. `roost uncordon` ends it.

            EXAMPLES
              roost drain gpu-7
              roost get vgpus -A --watch
            """)

    @OptionGroup var fleet: FleetOptions
    @OptionGroup var arguments: NodeArguments

    func run() async throws { try await fleet.perform(perform) }

    func perform(_ session: FleetSession) async throws {
        try await arguments.change(session, spec: ["unschedulable": true, "drain": true], verdict: "drains")
        let vgpus = try await session.connection.list(.virtualGPU, project: nil, labels: nil).items
        let left = vgpus.compactMap { try? $0.resource(VirtualGPUSpec.self) }
            .filter { arguments.nodes.contains($0.spec.node) && $0.status.phase != .ended }
        session.console.note(
            left.isEmpty
                ? "No vGPU is there." : "\(left.count) vGPUs are to go; `roost get vgpus -A --watch` shows them.")
    }
}
