/// Compares two results: the same outcomes, the same bits, and how much slower.
struct CompareCommand {
    private let first: JSONText
    private let second: JSONText
    private let names: (String, String)
    private let isJSON: Bool

    init(_ words: some Sequence<String>) throws {
        var files: [String] = []
        var isJSON = false
        var rest = Array(words)[...]
        while let word = rest.popFirst() {
            switch word {
            case "-o", "--output":
                let format = rest.popFirst()
                guard format == "json" || format == "table" else {
                    throw UsageError(description: "-o takes table or json")
                }
                isJSON = format == "json"
            case _ where word.hasPrefix("-"): throw UsageError(description: "unknown argument \(word)")
            default: files.append(word)
            }
        }
        guard files.count == 2 else { throw UsageError(description: "compare takes two files: native, then other") }
        names = (files[0], files[1])
        first = try Self.load(files[0])
        second = try Self.load(files[1])
        self.isJSON = isJSON
    }

    private static func load(_ path: String) throws -> JSONText {
        guard let bytes = Output.read(file: path) else { throw UsageError(description: "cannot read \(path)") }
        guard let value = JSONText(bytes), value["format"]?.string == "roost-conformance-1" else {
            throw UsageError(description: "\(path) is no result of `conformance -o json`")
        }
        return value
    }

    /// The process's exit status: 1 when something that passes natively does not pass, or has other bits.
    func run() -> Int32 {
        let comparison = Comparison(first, second)
        if isJSON { Output.write(comparison.json, to: 1) } else { show(comparison) }
        return comparison.differences.isEmpty ? 0 : 1
    }

    private func show(_ comparison: Comparison) {
        Output.line("A: \(names.0) (\(first["driver"]?.string ?? "?"))")
        Output.line("B: \(names.1) (\(second["driver"]?.string ?? "?"))\n")
        Output.line(comparison.summary)
        for row in comparison.rows where row.verdict != .same {
            Output.line("  " + row.name.padded(36) + row.verdict.rawValue.padded(14) + row.detail)
        }
        guard !comparison.figures.isEmpty else { return }
        let head = ["A", "B", "B/A"].map { $0.padded(11, left: true) }.joined()
        Output.line("\n" + "figure".padded(44) + head + "  unit")
        for figure in comparison.figures {
            let values = [figure.first, figure.second, figure.ratio].map { shortText($0).padded(11, left: true) }
            Output.line(figure.name.padded(44) + values.joined() + "  \(figure.unit)")
        }
    }
}

/// Two results side by side.
struct Comparison {
    enum Verdict: String {
        case same
        /// Neither passes in the same way as the other, but nothing that passes natively is lost.
        case note
        case different = "DIFFERENT"
        case lost = "LOST"
    }

    struct Row {
        var name: String
        var verdict: Verdict
        var detail: String
    }

    struct FigurePair {
        var name: String
        var first: Double
        var second: Double
        var unit: String
        var ratio: Double { first == 0 ? .nan : second / first }
    }

    private(set) var rows: [Row] = []
    private(set) var figures: [FigurePair] = []

    init(_ first: JSONText, _ second: JSONText) {
        let others = Self.byName(second["cases"])
        for element in first["cases"]?.elements ?? [] {
            guard let name = element["name"]?.string else { continue }
            rows.append(Self.row(name, element, others[name]))
        }
        let otherFigures = Self.byName(second["figures"])
        for element in first["figures"]?.elements ?? [] {
            guard let name = element["name"]?.string, let value = element["value"]?.double,
                let other = otherFigures[name]?["value"]?.double
            else { continue }
            let unit = element["unit"]?.string ?? ""
            figures.append(FigurePair(name: name, first: value, second: other, unit: unit))
        }
    }

    /// What makes the second result worse than the first.
    var differences: [Row] { rows.filter { $0.verdict == .lost || $0.verdict == .different } }

    var summary: String {
        let same = rows.count { $0.verdict == .same }
        return "\(rows.count) cases: \(same) the same, \(differences.count) lost or different"
    }

    private static func byName(_ list: JSONText?) -> [String: JSONText] {
        var found: [String: JSONText] = [:]
        for element in list?.elements ?? [] {
            if let name = element["name"]?.string { found[name] = element }
        }
        return found
    }

    private static func row(_ name: String, _ first: JSONText, _ second: JSONText?) -> Row {
        let before = first["status"]?.string ?? "?"
        guard let second else { return Row(name: name, verdict: before == "passed" ? .lost : .note, detail: "not run") }
        let after = second["status"]?.string ?? "?"
        let message = second["message"]?.string ?? ""
        if before != after {
            let isLost = before == "passed" || ["failed", "crashed", "timeout"].contains(after)
            return Row(name: name, verdict: isLost ? .lost : .note, detail: "\(before) -> \(after) \(message)")
        }
        let digests = (first["digest"]?.string ?? "", second["digest"]?.string ?? "")
        if before == "passed", digests.0 != digests.1 {
            return Row(name: name, verdict: .different, detail: "digest \(digests.0) -> \(digests.1)")
        }
        return Row(name: name, verdict: .same, detail: before)
    }

    /// The comparison for programs.
    var json: String {
        var text = "{\n  \"format\": \"roost-comparison-1\",\n  \"same\": \(rows.count { $0.verdict == .same }),"
        text += "\n  \"different\": \(differences.count),\n  \"cases\": ["
        text += rows.filter { $0.verdict != .same }.map { row in
            "\n    {\"name\": \(Report.quoted(row.name)), \"verdict\": \"\(row.verdict.rawValue)\", "
                + "\"detail\": \(Report.quoted(row.detail))}"
        }.joined(separator: ",")
        text += "\n  ],\n  \"figures\": ["
        text += figures.map { figure in
            let ratio = figure.ratio.isFinite ? "\(figure.ratio)" : "null"
            return "\n    {\"name\": \(Report.quoted(figure.name)), \"first\": \(figure.first), "
                + "\"second\": \(figure.second), \"ratio\": \(ratio), \"unit\": \(Report.quoted(figure.unit))}"
        }.joined(separator: ",")
        return text + "\n  ]\n}\n"
    }
}
