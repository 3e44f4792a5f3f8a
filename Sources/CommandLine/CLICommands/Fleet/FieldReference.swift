import ArgumentParser
import FleetModel

/// Kinds and fields as text for terminals and for the reference page.
enum FieldReference {
    /// All kinds.
    static var kinds: String {
        Table(
            columns: [.words("KIND"), .words("NAMES"), .words("PROJECT"), .words("MEANING")],
            rows: ResourceKind.allCases.map { kind in
                let names = ([kind.plural] + kind.shortNames).joined(separator: ", ")
                return [kind.rawValue, names, kind.isInProject ? "yes" : "no", kind.summary]
            }
        ).text
    }

    /// A kind or a field: `workload`, `workload.spec.resources`, `workload.resources`.
    static func text(of subject: String) throws -> String {
        var names = subject.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        let kind = try kind(names.removeFirst())
        guard !names.isEmpty else { return text(of: kind) }
        var fields = kind.type.fields
        var path = [kind.rawValue, "spec"]
        if names.first == "metadata" {
            path[1] = names.removeFirst()
            fields = metadataFields
        } else if names.first == "spec" {
            names.removeFirst()
        }
        guard let last = names.last else {
            return path.joined(separator: ".") + "\n\n" + table(fields).text
        }
        var field: FieldSchema?
        for name in names {
            guard let next = fields.first(where: { $0.name == name }) else {
                throw unknown(name, in: path.joined(separator: "."), fields)
            }
            field = next
            path.append(name)
            fields = next.type.fields ?? []
        }
        guard let field else { throw unknown(last, in: path.joined(separator: "."), fields) }
        var text = path.joined(separator: ".") + "  <\(title(field.type))>\n\n\(field.summary)"
        if field.isRequired { text += "\nIt must be there." }
        if let fallback = field.fallback { text += "\nWithout it: \(fallback)." }
        return fields.isEmpty ? text : text + "\n\n" + table(fields).text
    }

    private static func kind(_ name: String) throws -> ResourceKind { try KindArgument.parse(name) }

    private static func text(of kind: ResourceKind) -> String {
        let owner = kind.isWrittenByUsers ? "" : "\nThe control plane writes it; users read it."
        let place = kind.isInProject ? "Belongs to a project." : "Belongs to no project."
        return "\(kind.rawValue)\n\n\(kind.summary)\n\(place)\(owner)\n\n" + table(kind.type.fields).text
    }

    private static func unknown(_ name: String, in path: String, _ fields: [FieldSchema]) -> ValidationError {
        let names = fields.map(\.name)
        guard !names.isEmpty else { return ValidationError("\(path) has no fields of its own.") }
        let hint = nearest(to: name, among: names).map { "Did you mean \($0)?" }
        return ValidationError("\(path) has no field \(name). \(hint ?? "There are \(names.joined(separator: ", ")).")")
    }

    private static func table(_ fields: [FieldSchema]) -> Table {
        Table(
            columns: [.words("FIELD"), .words("TYPE"), .words("WITHOUT IT"), .words("MEANING")],
            rows: fields.map { [$0.name, title($0.type), $0.isRequired ? "an error" : $0.fallback ?? "-", $0.summary] })
    }

    private static func title(_ type: FieldType) -> String { type.title }

    private static let metadataFields: [FieldSchema] = [
        .required("name", .name, "The name, unique among resources of its kind in its project."),
        FieldSchema("project", .name, "The project that it belongs to.", fallback: defaultProject),
        FieldSchema("labels", .labels, "What selectors choose by."),
        FieldSchema("annotations", .labels, "Notes that nothing chooses by."),
    ]

    // MARK: - The page

    /// `Documentation/manifests.md`.
    static var markdown: String {
        var text = """
            # Manifests

            Written by `roost explain --markdown` from the descriptions that also check manifests; not edited by hand.

            A manifest is YAML, several with `---` between, or JSON. `roost apply -f` makes the control plane want what
            it says, `roost explain workload.resources` shows what follows here on a terminal, and `roost convert` makes
            manifests from TensorFusion's objects.

            ```yaml
            apiVersion: \(resourceAPIVersion)
            kind: Workload
            metadata:
              name: train
              project: research
            spec:
              replicas: 2
              resources:
                compute: 50%
                memory:
                  request: 4GiB
                  limit: 8GiB
            ```

            `no`, `yes`, `on` and `off` without quotes are text, as YAML 1.2 has it. Where a field takes request and
            limit, one value stands for both.

            ## Metadata

            \(markdownTable(rows(metadataFields, prefix: "")))

            """
        for kind in ResourceKind.allCases {
            let names = ([kind.plural] + kind.shortNames).map { "`\($0)`" }.joined(separator: ", ")
            let place = kind.isInProject ? "in a project" : "in no project"
            let owner = kind.isWrittenByUsers ? "" : "; written by the control plane alone"
            text += """

                ## \(kind.rawValue)

                \(kind.summary)

                On the command line \(names); \(place)\(owner).

                \(markdownTable(rows(kind.type.fields, prefix: "")))

                """
        }
        return text
    }

    private static func rows(_ fields: [FieldSchema], prefix: String) -> [[String]] {
        fields.flatMap { field in
            let isList = if case .list = field.type { "[]" } else { "" }
            let name = "\(prefix)\(field.name)"
            let row = [
                "`\(name)`", title(field.type), field.isRequired ? "an error" : field.fallback ?? "", field.summary,
            ]
            return [row] + rows(field.type.fields ?? [], prefix: "\(name)\(isList).")
        }
    }

    private static func markdownTable(_ rows: [[String]]) -> String {
        let head = ["| Field | Type | Without it | Meaning |", "|---|---|---|---|"]
        let body = rows.map { row in
            "| " + row.map { $0.replacing("|", with: "\\|") }.joined(separator: " | ") + " |"
        }
        return (head + body).joined(separator: "\n")
    }
}
