import APIModel
import Testing

@testable import GeneratorCore

@Test(
    "A Swift name comes from the C name",
    arguments: [
        ("MemAlloc_v2", "memAllocV2"), ("GLInit", "glInit"), ("Init", "init"),
        ("EGLStreamConsumerConnect", "eglStreamConsumerConnect"),
        ("GetProcAddress", "getProcAddress"), ("D3D9Begin", "d3D9Begin"),
    ])
func swiftNames(cName: String, expected: String) {
    #expect(cName.lowerCamel == expected)
}
