/// A function of a Swift file, as far as the house rules look at it.
struct SwiftFunction {
    let name: String
    /// The line of its first word.
    let line: Int
    let lineCount: Int
    let parameterCount: Int
    /// How deep braces nest inside its body.
    let nesting: Int
}

extension SwiftText {
    /// Every `func`, `init` and `subscript` with a body.
    var functions: [SwiftFunction] {
        var found: [SwiftFunction] = []
        var at = 0
        var line = 1
        while at < code.count {
            if code[at] == UInt8(ascii: "\n") { line += 1 }
            if let function = function(at: at, line: line) { found.append(function) }
            at += 1
        }
        return found
    }

    private static func isWordPart(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "_") || byte == UInt8(ascii: "`") || byte >= 128
            || (byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9"))
            || (byte | 32 >= UInt8(ascii: "a") && byte | 32 <= UInt8(ascii: "z"))
    }

    private func word(at start: Int) -> String? {
        if start > 0, SwiftText.isWordPart(code[start - 1]) || code[start - 1] == UInt8(ascii: ".") { return nil }
        var end = start
        while end < code.count, SwiftText.isWordPart(code[end]) { end += 1 }
        return end > start ? String(decoding: code[start..<end], as: UTF8.self) : nil
    }

    private func function(at start: Int, line: Int) -> SwiftFunction? {
        guard let keyword = word(at: start), ["func", "init", "subscript"].contains(keyword) else { return nil }
        var at = start + keyword.utf8.count
        var name = keyword
        if keyword == "func" {
            while at < code.count, code[at] == UInt8(ascii: " ") { at += 1 }
            name = word(at: at) ?? "operator"
        }
        while at < code.count, code[at] != UInt8(ascii: "("), code[at] != UInt8(ascii: "{") { at += 1 }
        guard at < code.count, code[at] == UInt8(ascii: "(") else { return nil }
        let parameterCount = countParameters(from: &at)
        guard let body = bodyStart(from: at) else { return nil }

        var depth = 0
        var deepest = 0
        var lineCount = 1
        for place in start..<code.count {
            if code[place] == UInt8(ascii: "\n") { lineCount += 1 }
            guard place >= body else { continue }
            if code[place] == UInt8(ascii: "{") { depth += 1 }
            if code[place] == UInt8(ascii: "}") { depth -= 1 }
            deepest = max(deepest, depth)
            if depth == 0 { break }
        }
        return SwiftFunction(
            name: name, line: line, lineCount: lineCount, parameterCount: parameterCount, nesting: deepest - 1)
    }

    /// Counts the commas on the top level of the parentheses, and moves behind them.
    private func countParameters(from at: inout Int) -> Int {
        var depth = 0
        var commas = 0
        var isEmpty = true
        while at < code.count {
            switch code[at] {
            case UInt8(ascii: "("), UInt8(ascii: "["), UInt8(ascii: "{"): depth += 1
            case UInt8(ascii: ")"), UInt8(ascii: "]"), UInt8(ascii: "}"): depth -= 1
            case UInt8(ascii: ",") where depth == 1: commas += 1
            case UInt8(ascii: " "), UInt8(ascii: "\n"): break
            default: isEmpty = false
            }
            at += 1
            if depth == 0 { break }
        }
        return isEmpty ? 0 : commas + 1
    }

    /// The body's brace, or nil for a requirement of a protocol.
    private func bodyStart(from start: Int) -> Int? {
        var depth = 0
        for at in start..<code.count {
            switch code[at] {
            case UInt8(ascii: "("): depth += 1
            case UInt8(ascii: ")"):
                depth -= 1
                if depth < 0 { return nil }
            case UInt8(ascii: "{") where depth == 0: return at
            case UInt8(ascii: "}"): return nil
            case UInt8(ascii: "\n") where depth == 0:
                // A signature goes on in the next line only with an arrow, a throws, a where or its brace.
                var next = at + 1
                while next < code.count, code[next] == UInt8(ascii: " ") { next += 1 }
                let rest = String(decoding: code[min(next, code.count)..<min(next + 8, code.count)], as: UTF8.self)
                if !["->", "{", "throws", "where", "async"].contains(where: rest.hasPrefix) { return nil }
            default: break
            }
        }
        return nil
    }
}
