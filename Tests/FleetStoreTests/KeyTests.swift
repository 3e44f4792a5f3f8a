import FleetStore
import Testing

@Suite("Keys and prefixes")
struct KeyTests {
    @Test(
        "Paths of plain segments are keys",
        arguments: ["/a", "/a/b", "/workloads/team-1/x.y_z~0", "/a:b@c+d=e", "/..."])
    func valid(_ text: String) throws {
        #expect(try StoreKey(text).text == text)
    }

    @Test(
        "Other texts are refused with the text",
        arguments: [
            "", "/", "a", "a/b", "/a/", "//a", "/a//b", "/.", "/..", "/a/../b", "/a b", "/ä", "/a\u{0}", "/a%2f",
            "/a\n",
        ])
    func invalid(_ text: String) {
        let error = #expect(throws: StoreError.self) { try StoreKey(text) }
        #expect(error?.code == .invalid)
        #expect(error?.message.contains("'\(text)'") == true)
    }

    @Test("Lengths are bounded: 253 bytes a segment, 1,024 in all")
    func lengths() throws {
        let segment = String(repeating: "a", count: 253)
        #expect(throws: Never.self) { try StoreKey("/" + segment) }
        #expect(throws: StoreError.self) { try StoreKey("/a" + segment) }
        let long = "/" + Array(repeating: segment, count: 4).joined(separator: "/")
        #expect(throws: Never.self) { try StoreKey(long + "/abcdefg") }
        #expect(throws: StoreError.self) { try StoreKey(long + "/abcdefgh") }
    }

    @Test("A prefix is a folder")
    func prefixes() throws {
        let prefix = try StorePrefix("/a/")
        #expect(prefix.contains(try StoreKey("/a/b")))
        #expect(!prefix.contains(try StoreKey("/a")))
        #expect(!prefix.contains(try StoreKey("/ab/c")))
        #expect(StorePrefix.all.contains(try StoreKey("/x")))
        for text in ["", "a/", "/a", "//", "/a//"] {
            #expect(throws: StoreError.self) { try StorePrefix(text) }
        }
    }
}
