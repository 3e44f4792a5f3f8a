/// A Swift file with its comments and the insides of its strings blanked, so that braces and words are code.
struct SwiftText {
    private(set) var code: [UInt8]

    init(_ text: String) {
        code = Array(text.utf8)
        blank()
    }

    /// The code's lines, numbered from 1.
    var lines: [(number: Int, text: String)] {
        String(decoding: code, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
            .enumerated().map { (number: $0.offset + 1, text: String($0.element)) }
    }

    private mutating func blank() {
        var at = 0
        while at < code.count {
            if matches("//", at) {
                at = erase(from: at) { $0 == UInt8(ascii: "\n") }
            } else if matches("/*", at) {
                eraseBlockComment(from: &at)
            } else if matches("\"\"\"", at) {
                eraseString(from: &at, delimiter: "\"\"\"")
            } else if code[at] == UInt8(ascii: "\"") {
                eraseString(from: &at, delimiter: "\"")
            } else {
                at += 1
            }
        }
    }

    private func matches(_ word: String, _ at: Int) -> Bool {
        let bytes = Array(word.utf8)
        return at + bytes.count <= code.count && Array(code[at..<at + bytes.count]) == bytes
    }

    private mutating func put(_ at: Int) {
        if code[at] != UInt8(ascii: "\n") { code[at] = UInt8(ascii: " ") }
    }

    private mutating func erase(from start: Int, until isEnd: (UInt8) -> Bool) -> Int {
        var at = start
        while at < code.count, !isEnd(code[at]) {
            put(at)
            at += 1
        }
        return at
    }

    private mutating func eraseBlockComment(from at: inout Int) {
        while at < code.count, !matches("*/", at) {
            put(at)
            at += 1
        }
        for place in at..<min(at + 2, code.count) { put(place) }
        at += 2
    }

    /// Leaves the delimiters and what is interpolated's parentheses out; a quote inside an interpolation ends nothing.
    private mutating func eraseString(from at: inout Int, delimiter: String) {
        at += delimiter.utf8.count
        var depth = 0
        while at < code.count {
            if depth == 0, matches(delimiter, at) {
                at += delimiter.utf8.count
                return
            }
            if delimiter == "\"", depth == 0, code[at] == UInt8(ascii: "\n") { return }
            let isEscape = code[at] == UInt8(ascii: "\\") && at + 1 < code.count
            if isEscape, depth == 0 {
                if code[at + 1] == UInt8(ascii: "(") { depth = 1 }
                put(at)
                put(at + 1)
                at += 2
                continue
            }
            if depth > 0 {
                if code[at] == UInt8(ascii: "(") { depth += 1 }
                if code[at] == UInt8(ascii: ")") { depth -= 1 }
            }
            put(at)
            at += 1
        }
    }
}
