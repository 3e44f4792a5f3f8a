import FleetModel

/// What is asked of a device, as it stands in annotations or in `requests` and `limits`.
struct RequestTerms {
    /// A text and the field that it stands in.
    struct Term {
        var text: String
        var field: String
    }

    var speed: (request: Term?, limit: Term?)
    var percent: (request: Term?, limit: Term?)
    var memory: (request: Term?, limit: Term?)

    /// Reads objects with `tflops`, `vram` and `compute` (or `computePercent`).
    init(requests: JSONValue?, limits: JSONValue?, paths: (requests: String, limits: String)) {
        func both(_ names: String...) -> (request: Term?, limit: Term?) {
            func term(_ object: JSONValue?, _ path: String) -> Term? {
                names.lazy.compactMap { name in
                    object?[name]?.plainText.map { Term(text: $0, field: "\(path).\(name)") }
                }.first
            }
            return (term(requests, paths.requests), term(limits, paths.limits))
        }
        speed = both("tflops")
        percent = both("compute", "computePercent")
        memory = both("vram")
    }

    /// Reads annotations.
    init(annotations: [String: String], path: String) {
        func both(_ name: String) -> (request: Term?, limit: Term?) {
            func term(_ end: String) -> Term? {
                let key = "\(ConversionPart.domain)\(name)-\(end)"
                return annotations[key].map { Term(text: $0, field: "\(path).\(key)") }
            }
            return (term("request"), term("limit"))
        }
        speed = both("tflops")
        percent = both("compute-percent")
        memory = both("vram")
    }
}

extension ConversionPart {
    /// `resources` of ours; nil where nothing is asked for.
    mutating func resources(_ terms: RequestTerms) -> JSONValue? {
        var resources: JSONValue = [:]
        let hasSpeed = terms.speed.request != nil || terms.speed.limit != nil
        if hasSpeed, let other = terms.percent.request ?? terms.percent.limit {
            warn(other.field, "TFLOPS are asked for too, and count; left out")
        }
        if hasSpeed {
            resources["compute"] = bounds(terms.speed, "TFLOPS, such as 10") {
                KubernetesQuantity.speed($0)?.description
            }
        } else {
            resources["compute"] = bounds(terms.percent, "a share, such as 50") {
                KubernetesQuantity.percent($0)?.description
            }
        }
        resources["memory"] = bounds(terms.memory, "memory, such as 16Gi") {
            KubernetesQuantity.memory($0)?.description
        }
        return resources.members?.isEmpty == false ? resources : nil
    }

    /// One value, or request and limit; one alone stands for both.
    private mutating func bounds(
        _ terms: (request: RequestTerms.Term?, limit: RequestTerms.Term?), _ form: String,
        _ read: (String) -> String?
    ) -> JSONValue? {
        let request = terms.request.flatMap { value($0, form, read) }
        let limit = terms.limit.flatMap { value($0, form, read) }
        guard let one = request ?? limit else { return nil }
        if request == nil || limit == nil || request == limit { return .string(one) }
        return ["request": .string(request ?? one), "limit": .string(limit ?? one)]
    }

    private mutating func value(_ term: RequestTerms.Term, _ form: String, _ read: (String) -> String?) -> String? {
        let value = read(term.text)
        if value == nil { warn(term.field, "\"\(term.text)\" is not \(form); left out") }
        return value
    }
}
