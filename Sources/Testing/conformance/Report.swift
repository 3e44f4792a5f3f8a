/// A measured number.
struct Figure {
    var name: String
    var value: Double
    var unit: String
}

/// All that a run found out.
struct Report {
    let driver: String
    var facts: [(name: String, value: String)] = []
    var results: [CaseResult] = []
    var figures: [Figure] = []

    init(driver: String) {
        self.driver = driver
    }

    func count(_ status: CaseStatus) -> Int { results.count { $0.status == status } }
    func count(isFailure: Bool) -> Int { results.count { $0.status.isFailure == isFailure } }

    /// One case, for people.
    static func line(_ result: CaseResult) -> String {
        var text = result.status.rawValue.padded(12) + result.name.padded(36)
        text += "\(result.microsecondCount / 1000)".padded(6, left: true) + " ms"
        if !result.message.isEmpty { text += "  " + result.message }
        return text
    }

    /// The totals in one line.
    var totalsText: String {
        let parts = CaseStatus.allCases.map { "\(count($0)) \($0.rawValue)" }
        return "\(results.count) cases: " + parts.joined(separator: ", ")
    }

    /// The whole result, in the format `roost-conformance-1`.
    var json: String {
        var text = "{\n  \"format\": \"roost-conformance-1\",\n  \"driver\": \(Self.quoted(driver)),\n  \"facts\": {"
        text += facts.map { "\n    \(Self.quoted($0.name)): \(Self.quoted($0.value))" }.joined(separator: ",")
        text += "\n  },\n  \"totals\": {"
        text += CaseStatus.allCases.map { "\"\($0.rawValue)\": \(count($0))" }.joined(separator: ", ")
        text += "},\n  \"cases\": ["
        text += results.map(Self.caseJSON).joined(separator: ",")
        text += "\n  ],\n  \"figures\": ["
        text += figures.map { figure in
            "\n    {\"name\": \(Self.quoted(figure.name)), \"value\": \(figure.value), "
                + "\"unit\": \(Self.quoted(figure.unit))}"
        }.joined(separator: ",")
        return text + "\n  ]\n}\n"
    }

    private static func caseJSON(_ result: CaseResult) -> String {
        let digest = String(result.digest, radix: 16)
        let padding = String(repeating: "0", count: 16 - digest.count)
        return "\n    {\"name\": \(quoted(result.name)), \"status\": \"\(result.status.rawValue)\", "
            + "\"digest\": \"\(padding)\(digest)\", \"microseconds\": \(result.microsecondCount), "
            + "\"message\": \(quoted(result.message))}"
    }

    /// A JSON string.
    static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": quoted += "\\\(scalar)"
            case "\n": quoted += "\\n"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
