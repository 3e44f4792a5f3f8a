import ArgumentParser
import FleetClient
import FleetModel
import Foundation
import Manifests

extension ManifestOptions {
    /// Reads and checks everything that `-f` names.
    ///
    /// - Parameter project: For resources that name none.
    func documents(project: String, console: Console) throws -> [ResourceDocument] {
        var issues: [ManifestReadError.Issue] = []
        var documents: [ResourceDocument] = []
        for var manifest in try manifests(console: console) {
            let kind = manifest.value["kind"]?.text.flatMap(ResourceKind.init(rawValue:))
            if kind?.isInProject == true, manifest.value["metadata"]?["project"] == nil {
                manifest.value["metadata"]?["project"] = .string(project)
            }
            do {
                documents.append(try manifest.checked())
            } catch let error as ManifestReadError {
                issues += error.issues
            }
        }
        guard issues.isEmpty else { throw ManifestReadError(issues) }
        return documents
    }

    /// Reads everything that `-f` names.
    func manifests(console: Console) throws -> [Manifest] {
        guard !files.isEmpty else {
            throw ValidationError("Name manifests with -f: a file, a folder, or - to pipe in.")
        }
        let manifests = try ManifestReader.read(paths: files, standardInput: console.input)
        guard !manifests.isEmpty else {
            throw CommandFailure(
                status: CommandExit.failure, message: "\(files.joined(separator: ", ")): there is no manifest in it.")
        }
        return manifests
    }
}

/// `roost apply`: makes resources as manifests say.
struct ApplyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apply",
        abstract: "Create or change resources as manifests say.",
        discussion: """
            Everything is checked before anything is sent. For each resource a line says whether it was created, \
            configured or unchanged. With --dry-run the control plane answers as if, and keeps nothing.

            EXAMPLES
              roost apply -f pool.yaml -f quotas/
              generate-workloads | roost apply -f - -p research
            """)

    @OptionGroup var fleet: FleetOptions
    @OptionGroup var project: ProjectOptions
    @OptionGroup var source: ManifestOptions

    @Flag(name: .customLong("dry-run"), help: "Ask what would happen, and change nothing.")
    var isDryRun = false

    func run() async throws { try await fleet.perform(project: project.project, perform) }

    func perform(_ session: FleetSession) async throws {
        let documents = try source.documents(project: session.project, console: session.console)
        var failures = 0
        for document in documents {
            do {
                let before = try await session.connection.get(document.reference)
                let after = try await session.connection.put(
                    document, revision: document.metadata.revision, isDryRun: isDryRun)
                let verdict = before.map { $0.hasSameWishes(as: after) ? "unchanged" : "configured" } ?? "created"
                session.console.line("\(document.reference.title) \(verdict)\(isDryRun ? " (dry run)" : "")")
            } catch let error as FleetClientError where error.status >= 400 && error.status != 401 {
                failures += 1
                session.console.note("roost: \(document.reference): \(CommandFailure(error).message)")
            }
        }
        guard failures == 0 else {
            throw CommandFailure(
                status: CommandExit.failure, message: "\(failures) of \(documents.count) resources were refused.")
        }
    }
}

extension ResourceDocument {
    /// What users write: spec, labels, annotations.
    var wishes: JSONValue {
        var metadata: JSONValue = ["name": .string(self.metadata.name)]
        for name in ["project", "labels", "annotations"] {
            if let value = json["metadata"]?[name], value.members?.isEmpty != true { metadata[name] = value }
        }
        return [
            "apiVersion": .string(resourceAPIVersion), "kind": .string(kind.rawValue), "metadata": metadata,
            "spec": json["spec"] ?? [:],
        ]
    }

    /// Whether two resources are wanted alike.
    func hasSameWishes(as other: ResourceDocument) -> Bool { wishes == other.wishes }
}

/// `roost delete`: deletes resources.
struct DeleteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete",
        abstract: "Delete resources, by name or as manifests name them.",
        discussion: """
            EXAMPLES
              roost delete workload train
              roost delete -f pool.yaml --ignore-missing
            """)

    @OptionGroup var fleet: FleetOptions
    @OptionGroup var project: ProjectOptions
    @OptionGroup var source: ManifestOptions

    @Argument(
        help: ArgumentHelp("A kind and names, or kind/name.", valueName: "kind name"),
        completion: NameCompletion.subject)
    var words: [String] = []

    @Flag(name: .customLong("ignore-missing"), help: "Resources that are not there are no failure.")
    var ignoresMissing = false

    @Flag(name: .customLong("dry-run"), help: "Ask what would happen, and change nothing.")
    var isDryRun = false

    func validate() throws {
        if words.isEmpty == source.files.isEmpty {
            throw ValidationError("Name what to delete: either a kind and names, or manifests with -f.")
        }
        if let first = words.first {
            let subject = try ResourceArguments.split(first)
            if subject.name == nil, words.count < 2 {
                throw ValidationError("Name the \(subject.kind.plural) to delete: \(first) NAME.")
            }
        }
    }

    func run() async throws { try await fleet.perform(project: project.project, perform) }

    func perform(_ session: FleetSession) async throws {
        for reference in try references(session) {
            do {
                try await session.connection.delete(reference, isDryRun: isDryRun)
                session.console.line("\(reference.title) deleted\(isDryRun ? " (dry run)" : "")")
            } catch let error as FleetClientError where error.status == 404 {
                guard ignoresMissing else { throw CommandFailure.missing(reference) }
                session.console.note("\(reference.title) was not there")
            }
        }
    }

    private func references(_ session: FleetSession) throws -> [ResourceReference] {
        guard let first = words.first else {
            // What is needed last was made first.
            return try source.documents(project: session.project, console: session.console).map(\.reference).reversed()
        }
        let subject = try ResourceArguments.split(first)
        let names = (subject.name.map { [$0] } ?? []) + words.dropFirst()
        return names.map { session.reference(subject.kind, $0) }
    }
}

/// `roost diff`: compares manifests with what the control plane holds.
struct DiffCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff",
        abstract: "Show what `roost apply` would change.",
        discussion: """
            Exits with status 0 where nothing differs, 1 where something does, 2 where it could not be found out.

            EXAMPLES
              roost diff -f pool.yaml
            """)

    @OptionGroup var fleet: FleetOptions
    @OptionGroup var project: ProjectOptions
    @OptionGroup var source: ManifestOptions

    func run() async throws {
        do {
            try await fleet.perform(project: project.project, perform)
        } catch let failure as CommandFailure where failure == DiffCommand.differs {
            throw ExitCode(1)
        } catch {
            let text = CommandExit(error).text
            throw CommandFailure(status: 2, message: text.hasPrefix("roost: ") ? String(text.dropFirst(7)) : text)
        }
    }

    /// Something differs.
    static let differs = CommandFailure(status: 1, message: "")

    func perform(_ session: FleetSession) async throws {
        var isSame = true
        for document in try source.documents(project: session.project, console: session.console) {
            let before = try await session.connection.get(document.reference)
            let after = try await answer(to: document, isNew: before == nil, session)
            let old = try before.map { try ManifestWriter.yaml([$0.wishes]) } ?? ""
            let new = try ManifestWriter.yaml([after.wishes])
            let lines = LineDifference(old: old, new: new).unified(
                old: before == nil ? "nothing" : "now/\(document.reference.title)",
                new: "then/\(document.reference.title)")
            for line in lines { session.console.line(session.console.isColored ? LineDifference.colored(line) : line) }
            if !lines.isEmpty { isSame = false }
        }
        guard isSame else { throw DiffCommand.differs }
    }

    /// What the control plane would make of a manifest. What is new may need other new resources, which are not there.
    private func answer(
        to document: ResourceDocument, isNew: Bool, _ session: FleetSession
    ) async throws -> ResourceDocument {
        do {
            return try await session.connection.put(document, revision: nil, isDryRun: true)
        } catch let error as FleetClientError where isNew && [404, 409, 422].contains(error.status) {
            session.console.note("roost: \(document.reference): \(error)")
            return document
        }
    }
}

/// `roost plan`: what would be done with manifests.
struct PlanCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Show where workloads would go and what they would cost, without doing it.",
        discussion: """
            EXAMPLES
              roost plan -f train.yaml
            """)

    @OptionGroup var fleet: FleetOptions
    @OptionGroup var project: ProjectOptions
    @OptionGroup var source: ManifestOptions
    @OptionGroup var output: OutputOptions

    func run() async throws { try await fleet.perform(project: project.project, perform) }

    func perform(_ session: FleetSession) async throws {
        let documents = try source.documents(project: session.project, console: session.console)
        let workloads = documents.filter { $0.kind == .workload }
        guard !workloads.isEmpty else {
            throw CommandFailure(
                status: CommandExit.failure, message: "There is no Workload in these manifests; only those are placed.")
        }
        let others = documents.count - workloads.count
        if others > 0 { session.console.note("Plans the workloads alone, with the pool as it is.") }
        let plan = try await session.connection.plan(workloads)
        switch output.format {
        case .json: session.console.line(ManifestWriter.json(try JSONValue(encoding: plan)))
        case .table:
            session.console.line(PlanCommand.table(plan).text)
            if let cost = plan.pricePerHour {
                session.console.line(String(format: "Costs %.2f %@ an hour.", cost, plan.currency ?? ""))
            }
        }
        let waiting = plan.placements.filter { $0.node == nil }.count
        if waiting > 0 { session.console.note("\(waiting) of \(plan.placements.count) replicas would wait.") }
    }

    static func table(_ plan: Plan) -> Table {
        Table(
            columns: [.words("WORKLOAD"), .numbers("REPLICA"), .words("NODE"), .words("DEVICES"), .words("NOTES")],
            rows: plan.placements.map { placement in
                let devices = placement.devices ?? []
                return [
                    placement.workload.name, "\(placement.replica)", placement.node ?? "waits",
                    devices.isEmpty ? "-" : devices.joined(separator: ","), placement.message ?? "",
                ]
            })
    }
}

/// `roost convert`: manifests of another system as ours.
struct ConvertCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "convert",
        abstract: "Turn TensorFusion's manifests into ours.",
        discussion: """
            Reads pods and their controllers with tensor-fusion.ai labels and annotations, WorkloadProfile, \
            TensorFusionWorkload, GPUPool and GPUResourceQuota objects. Writes manifests to the standard output, and \
            to the standard error a warning for everything that has no equivalent. Needs no control plane.

            EXAMPLES
              kubectl get gpupools,workloadprofiles -A -o yaml | roost convert -f - > roost.yaml
              roost convert -f deployment.yaml | roost apply -f -
            """)

    @OptionGroup var source: ManifestOptions

    @Flag(help: "Fail where something has no equivalent.")
    var strict = false

    func run() async throws { try perform(.standard(environment: ProcessInfo.processInfo.environment)) }

    func perform(_ console: Console) throws {
        let conversion = Conversion(tensorFusion: try source.manifests(console: console))
        for warning in conversion.warnings { console.note("warning: \(warning)") }
        // What was converted must be right, or apply would be the one to say so.
        for manifest in conversion.manifests {
            do {
                _ = try ResourceDocument(manifest: manifest)
            } catch let error as ManifestError {
                let name = manifest["metadata"]?["name"]?.text ?? ""
                console.note("warning: \(manifest["kind"]?.text ?? "") \(name) needs a correction: \(error)")
            }
        }
        if conversion.manifests.isEmpty {
            throw CommandFailure(
                status: CommandExit.failure, message: "Nothing in these files has an equivalent; the warnings say why.")
        }
        console.text(try ManifestWriter.yaml(conversion.manifests))
        if strict, !conversion.warnings.isEmpty {
            throw CommandFailure(
                status: CommandExit.failure, message: "\(conversion.warnings.count) things have no equivalent.")
        }
    }
}
