import Testing

@Suite("Sizes")
struct SizeTests {
    @Test("Files have at most 400 lines, generated ones 4,000", arguments: Repository.swiftFiles)
    func fileLength(_ file: RepositoryFile) {
        let limit = file.isGenerated ? 4_000 : 400
        #expect(file.lines.count - 1 <= limit, "\(file.path) has \(file.lines.count - 1) lines")
    }

    @Test("Lines have at most 120 columns", arguments: Repository.handWritten)
    func lineLength(_ file: RepositoryFile) {
        for (index, line) in file.lines.enumerated() where line.count > 120 {
            // A literal that cannot be broken may stand alone.
            let isUnbreakable = line.contains("https://")
            #expect(isUnbreakable, "\(file.path):\(index + 1) has \(line.count) columns")
        }
    }

    @Test("Functions have at most 70 lines, 6 parameters and 4 levels", arguments: Repository.handWritten)
    func functions(_ file: RepositoryFile) {
        // The halves of C functions have the C function's parameters.
        let mirrorsC = file.path.contains("/Custom/") || file.path.hasPrefix("Sources/Client/NVMLClient/")
        for function in SwiftText(file.text).functions {
            let place = "\(file.path):\(function.line) \(function.name)"
            #expect(function.lineCount <= 70, "\(place) has \(function.lineCount) lines")
            #expect(function.nesting <= 4, "\(place) nests \(function.nesting) levels")
            #expect(function.parameterCount <= 6 || mirrorsC, "\(place) has \(function.parameterCount) parameters")
        }
    }
}
