import Foundation
import GeneratorCore
import Testing

/// The generator's output for the toy API, file by file. `ROOST_RECORD_GOLDEN=1` writes it anew.
struct GoldenTests {
    private static let folder = Fixtures.folder.appendingPathComponent("Golden")

    private static func golden(_ file: GeneratedFile) -> URL {
        folder.appendingPathComponent(file.path.replacing("/", with: "__") + ".txt")
    }

    @Test("The toy API gives the recorded files")
    func output() throws {
        let files = Generator(try Fixtures.toy()).files
        let isRecording = ProcessInfo.processInfo.environment["ROOST_RECORD_GOLDEN"] == "1"
        for file in files {
            if isRecording { try Data(file.text.utf8).write(to: GoldenTests.golden(file)) }
            let expected = try? String(contentsOf: GoldenTests.golden(file), encoding: .utf8)
            #expect(file.text == expected, "\(file.path)")
        }
        let recorded = try FileManager.default.contentsOfDirectory(atPath: GoldenTests.folder.path)
        #expect(Set(recorded) == Set(files.map { GoldenTests.golden($0).lastPathComponent }))
    }

    @Test("The files in the repository are what the generator writes")
    func repositoryIsCurrent() throws {
        let files = Generator(try Fixtures.real()).files
        #expect(files.filter { !$0.isCurrent(root: Fixtures.repository) }.map(\.path) == [])
    }

    @Test("No generated Swift file has more than 2,000 lines")
    func fileLengths() throws {
        let files = Generator(try Fixtures.real()).files.filter { $0.path.hasSuffix(".swift") }
        #expect(
            files.filter { $0.text.split(separator: "\n", omittingEmptySubsequences: false).count > 2001 }.map(\.path)
                == [])
    }
}
