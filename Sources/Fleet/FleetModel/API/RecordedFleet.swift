/// All resources that matter to placement, as of one moment: what `roost snapshot` writes and `roost simulate` reads.
///
/// Nothing secret is in it: programs are left out but for the fact that there is one, and so are endpoints, UUIDs,
/// messages and annotations.
public struct RecordedFleet: Sendable {
    /// The kinds that are recorded, in the order of the file.
    public static let kinds: [ResourceKind] = [
        .priceList, .pool, .project, .quota, .profile, .node, .device, .workload, .virtualGPU,
    ]
    private static let kindName = "FleetSnapshot"

    /// When.
    public var takenAt: Timestamp
    /// The version of the program that wrote it.
    public var version: String
    /// The store's revision.
    public var revision: Int64
    /// The resources, by kind, then by name.
    public var resources: [ResourceDocument]

    /// Records resources; those of other kinds, and what is secret, are left out.
    ///
    /// - Throws: What reading a resource's parts throws.
    public init(_ resources: [ResourceDocument], revision: Int64, version: String, at moment: Timestamp) throws {
        takenAt = moment
        self.version = version
        self.revision = revision
        self.resources = try resources.filter { RecordedFleet.kinds.contains($0.kind) }
            .map { try RecordedFleet.withoutSecrets($0) }.sorted(by: RecordedFleet.isBefore)
    }

    private static func isBefore(_ left: ResourceDocument, _ right: ResourceDocument) -> Bool {
        let ranks = (kinds.firstIndex(of: left.kind) ?? 0, kinds.firstIndex(of: right.kind) ?? 0)
        return ranks.0 == ranks.1 ? left.reference < right.reference : ranks.0 < ranks.1
    }

    private static func withoutSecrets(_ document: ResourceDocument) throws -> ResourceDocument {
        var metadata = document.metadata
        metadata.annotations = nil
        switch document.kind {
        case .workload:
            var workload = try document.resource(WorkloadSpec.self)
            workload.metadata = metadata
            if workload.spec.program != nil { workload.spec.program = WorkloadSpec.Program(command: ["left-out"]) }
            return try ResourceDocument(workload)
        case .virtualGPU:
            var vgpu = try document.resource(VirtualGPUSpec.self)
            vgpu.metadata = metadata
            vgpu.status.endpoints = nil
            vgpu.status.uuids = nil
            vgpu.status.message = nil
            return try ResourceDocument(vgpu)
        case .device:
            var device = try document.resource(DeviceSpec.self)
            device.metadata = metadata
            device.status.uuid = nil
            device.status.message = nil
            return try ResourceDocument(device)
        case .node:
            var node = try document.resource(NodeSpec.self)
            node.metadata = metadata
            node.status.address = nil
            return try ResourceDocument(node)
        default: return try document.with(metadata, status: document.json["status"])
        }
    }

    // MARK: - As text

    /// The file.
    public var json: JSONValue {
        [
            "apiVersion": .string(resourceAPIVersion), "kind": .string(RecordedFleet.kindName),
            "takenAt": .string(takenAt.description), "version": .string(version), "revision": .integer(revision),
            "items": .list(resources.map(\.json)),
        ]
    }

    /// Reads a file.
    ///
    /// - Throws: ``ManifestError`` with every field that is wrong.
    public init(json: JSONValue) throws(ManifestError) {
        var problems: [FieldProblem] = []
        if json["kind"]?.text != RecordedFleet.kindName {
            problems.append(FieldProblem("kind", "must be \(RecordedFleet.kindName): a file of `roost snapshot`"))
        }
        if json["apiVersion"]?.text != resourceAPIVersion {
            problems.append(FieldProblem("apiVersion", "must be \(resourceAPIVersion)"))
        }
        let moment = json["takenAt"]?.text.flatMap { Timestamp($0) }
        if moment == nil {
            problems.append(FieldProblem("takenAt", "must say when it was taken, as in 2026-12-01T12:00:00Z"))
        }
        guard let items = json["items"]?.elements else {
            throw ManifestError(problems + [FieldProblem("items", "must be a list of resources")])
        }
        resources = []
        var seen = Set<ResourceReference>()
        for (index, item) in items.enumerated() {
            do {
                let document = try RecordedFleet.read(item)
                resources.append(document)
                if !seen.insert(document.reference).inserted {
                    problems.append(
                        FieldProblem("items[\(index)].metadata.name", "\(document.reference) is there twice"))
                }
            } catch {
                problems += error.problems.map {
                    FieldProblem("items[\(index)]" + ($0.field.map { "." + $0 } ?? ""), $0.reason)
                }
            }
        }
        guard problems.isEmpty, let moment else { throw ManifestError(problems) }
        takenAt = moment
        version = json["version"]?.text ?? ""
        if case .integer(let number)? = json["revision"] { revision = number } else { revision = 0 }
    }

    private static func read(_ item: JSONValue) throws(ManifestError) -> ResourceDocument {
        do {
            let document = try ResourceDocument(manifest: item)
            guard kinds.contains(document.kind) else {
                throw ManifestError([FieldProblem("kind", "a snapshot has no \(document.kind.rawValue)")])
            }
            return document
        } catch let error as ManifestError {
            throw error
        } catch DecodingError.keyNotFound(let key, let context) {
            let path = (context.codingPath + [key]).map(\.stringValue).joined(separator: ".")
            throw ManifestError([FieldProblem(path, "is missing")])
        } catch {
            throw ManifestError([FieldProblem("", "can't be read: \(error)")])
        }
    }

    /// The fields of its JSON form.
    public static let fields: [FieldSchema] = [
        .required("apiVersion", .text(max: 63), "The version of the resources' form."),
        .required("kind", .word([kindName]), "What this is."),
        .required("takenAt", .moment, "When it was recorded."),
        .required("version", .text(max: 63), "The version of the program that wrote it."),
        .required("revision", .integer(0...Int64.max), "The store's revision that it shows."),
    ]
}
