import Testing

@testable import PTX

@Suite("PTX lexer")
struct PTXLexerTests {
    private func tokens(_ text: String) throws(PTXError) -> [String] {
        let bytes = Array(text.utf8)
        return try bytes.withUnsafeBufferPointer { (buffer) throws(PTXError) -> [String] in
            var lexer = PTXLexer(buffer, range: 0..<buffer.count, position: PTXPosition(line: 1, column: 1))
            var words: [String] = []
            while true {
                let token = try lexer.next()
                if token.kind == .end { return words }
                words.append(String(decoding: buffer[token.start..<token.end], as: UTF8.self))
            }
        }
    }

    static let splitTable: [(String, [String])] = [
        ("ld.global.f32 %f1,[%rd4+-8];", ["ld", ".global", ".f32", "%f1", ",", "[", "%rd4", "+", "-", "8", "]", ";"]),
        ("st.shared::cta.L2::128B a", ["st", ".shared::cta", ".L2::128B", "a"]),
        ("$L__BB0_1: ret;", ["$L__BB0_1", ":", "ret", ";"]),
        (
            "0f3F800000 0dBFF0000000000000 0x1F 1U 1.5e-3 017",
            [
                "0f3F800000", "0dBFF0000000000000", "0x1F", "1U", "1.5e-3", "017",
            ]
        ),
        ("a/*b\n*/c//d\ne", ["a", "c", "e"]),
        ("%tid.x %r<10>", ["%tid", ".x", "%r", "<", "10", ">"]),
        ("0x1e+5", ["0x1e", "+", "5"]),
        ("\"a\\\"b\" x", ["\"a\\\"b\"", "x"]),
        ("4 % 3", ["4", "%", "3"]),
    ]

    @Test("the lexer splits words, numbers and punctuation", arguments: Self.splitTable)
    func splits(_ text: String, _ expected: [String]) throws {
        #expect(try tokens(text) == expected)
    }

    @Test(
        "unfinished comments, unfinished strings and foreign bytes are refused with their place",
        arguments: [
            ("a\n  /* b", 2, 3), ("a \"b", 1, 3), ("a\n\u{e9}", 2, 1),
        ])
    func refuses(_ text: String, _ line: Int, _ column: Int) {
        let error = PTXFixtures.error { () throws(PTXError) in _ = try tokens(text) }
        #expect(error?.position == PTXPosition(line: line, column: column))
        #expect(error?.code == .syntax)
    }

    static let literalTable: [(String, PTXLiteral)] = [
        ("0", PTXLiteral.integer(0, isUnsigned: false)), ("42", .integer(42, isUnsigned: false)),
        ("42U", .integer(42, isUnsigned: true)), ("0xff", .integer(255, isUnsigned: false)),
        ("0XFFu", .integer(255, isUnsigned: true)), ("0b101", .integer(5, isUnsigned: false)),
        ("017", .integer(15, isUnsigned: false)), ("0U", .integer(0, isUnsigned: true)),
        ("18446744073709551615", .integer(.max, isUnsigned: true)),
        ("0f3F800000", .float(0x3F80_0000)), ("0F7fc00000", .float(0x7FC0_0000)),
        ("0d3FF0000000000000", .double(0x3FF0_0000_0000_0000)), ("1.5", .double((1.5).bitPattern)),
        ("1.", .double((1.0).bitPattern)), ("0.5", .double((0.5).bitPattern)), ("1e3", .double((1000.0).bitPattern)),
    ]

    @Test("number tokens have the value that PTX gives them", arguments: Self.literalTable)
    func literals(_ text: String, _ expected: PTXLiteral) {
        let bytes = Array(text.utf8)
        #expect(bytes.withUnsafeBufferPointer { PTXLiteral($0[...]) } == expected)
    }

    @Test(
        "malformed numbers have no value",
        arguments: [
            "18446744073709551616", "0f3F80", "0f3F8000000", "0d0", "0x", "0xg", "09", "1a", "0b2", "1.2.3",
            "99999999999999999999999999", "0x10000000000000000",
        ])
    func malformed(_ text: String) {
        let bytes = Array(text.utf8)
        #expect(bytes.withUnsafeBufferPointer { PTXLiteral($0[...]) } == nil)
    }
}
