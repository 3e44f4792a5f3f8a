import Primitives
import Testing

@Suite struct ContentHashTests {
    private func digits(_ bytes: [UInt8]) -> String {
        bytes.withUnsafeBytes { String(decoding: ContentHash(of: $0).digits, as: UTF8.self) }
    }

    @Test(
        "hashes are those of BLAKE2b with 32 bytes",
        arguments: [
            (0, "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8"),
            (128, "c3582f71ebb2be66fa5dd750f80baae97554f3b015663c8be377cfcb2488c1d1"),
            (256, "582f782226018ec33076bd8d1c42413530ac7e1126260ffc0f306ba3befc3f24"),
            (1000, "b372d0608f720c8c3dd41e9c8eecb10143b41abe520b616607e754bf79c08331"),
        ])
    func vectors(count: Int, expected: String) {
        #expect(digits((0..<count).map { UInt8($0 % 251) }) == expected)
    }

    @Test("the hash of abc")
    func abc() {
        #expect(digits(Array("abc".utf8)) == "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319")
    }
}
