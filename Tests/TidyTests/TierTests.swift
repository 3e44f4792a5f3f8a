import Foundation
import Testing

@Suite("Tiers")
struct TierTests {
    /// Which tiers a tier may import from, its own included.
    private static let mayImport: [String: Set<String>] = [
        "Foundations": ["Foundations"],
        "Protocol": ["Foundations", "Protocol"],
        "Client": ["Foundations", "Protocol", "Client"],
        "Worker": ["Foundations", "Protocol", "Worker"],
        "Node": ["Foundations", "Protocol", "Node"],
        "Fleet": ["Foundations", "Protocol", "Node", "Fleet"],
        "CommandLine": ["Foundations", "Protocol", "Node", "Fleet", "CommandLine"],
        "Testing": ["Foundations", "Protocol", "Client", "Worker", "Fleet", "Testing"],
    ]

    /// Modules from outside the package that a tier may import.
    private static let outside: [String: Set<String>] = [
        "Foundations": ["Synchronization"],
        "Protocol": ["Synchronization"],
        "Client": ["Synchronization"],
        "Worker": ["Synchronization", "Logging", "Glibc"],
        "Node": ["Synchronization", "Foundation", "Logging", "Glibc"],
        "Fleet": [
            "Synchronization", "Foundation", "Logging", "Glibc", "ArgumentParser", "AsyncHTTPClient", "Crypto",
            "HTTPTypes", "Hummingbird", "HummingbirdCore", "HummingbirdTLS", "JWTKit", "NIOCore",
            "NIOFoundationCompat", "NIOHTTP1", "NIOPosix", "NIOSSL", "ServiceLifecycle", "SwiftASN1", "UnixSignals",
            "X509", "Yams",
        ],
        "CommandLine": ["Synchronization", "Foundation", "Logging", "ArgumentParser", "Glibc"],
        "Testing": ["Synchronization", "Foundation", "Testing", "Logging", "Glibc"],
    ]

    /// The tier of each target, from its folder.
    private static let tiers: [String: String] = {
        var tiers: [String: String] = [:]
        for tier in mayImport.keys {
            let folder = Repository.root.appendingPathComponent("Sources/\(tier)").path
            for target in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] { tiers[target] = tier }
        }
        return tiers
    }()

    private static func imports(of file: RepositoryFile) -> [String] {
        SwiftText(file.text).lines.compactMap { line -> String? in
            let words = line.text.split { $0 == " " }.map(String.init)
            guard let at = words.firstIndex(of: "import"), at + 1 < words.count else { return nil }
            let before = Set(words[..<at])
            let modifiers = ["public", "internal", "private", "package", "@testable", "@preconcurrency"]
            guard before.isSubset(of: modifiers) else { return nil }
            let kinds = ["struct", "class", "enum", "func", "protocol"]
            let name = words[(at + 1)...].first { !kinds.contains($0) }
            return name?.split(separator: ".").first.map(String.init)
        }
    }

    @Test("The folders of Sources are the tiers")
    func folders() throws {
        let path = Repository.root.appendingPathComponent("Sources").path
        let folders = Set(try FileManager.default.contentsOfDirectory(atPath: path))
        #expect(folders == Set(TierTests.mayImport.keys))
    }

    @Test("A target imports only from the tiers that its own may see", arguments: Repository.sources)
    func tierImports(_ file: RepositoryFile) throws {
        let tier = String(file.path.split(separator: "/")[1])
        let allowedTiers = try #require(TierTests.mayImport[tier])
        let allowedModules = try #require(TierTests.outside[tier])
        for name in TierTests.imports(of: file) {
            if let other = TierTests.tiers[name] {
                #expect(allowedTiers.contains(other), "\(file.path) imports \(name) of \(other)")
            } else {
                #expect(allowedModules.contains(name), "\(file.path) imports \(name)")
            }
        }
    }

    @Test("Pure targets import nothing from outside", arguments: Repository.sources)
    func pureTargets(_ file: RepositoryFile) {
        let pure = [
            "Protocol/WireProtocol", "Worker/PTX", "Node/NodeModel", "Fleet/Admission", "Fleet/Scheduling",
            "Fleet/Monitoring",
        ]
        guard pure.contains(where: { file.path.hasPrefix("Sources/\($0)/") }) else { return }
        for name in TierTests.imports(of: file) {
            #expect(TierTests.tiers[name] != nil, "\(file.path) imports \(name)")
        }
    }

    @Test("The package description and the folders name the same targets")
    func packageDescription() throws {
        let package = try String(contentsOf: Repository.root.appendingPathComponent("Package.swift"), encoding: .utf8)
        for target in TierTests.tiers.keys.sorted() {
            #expect(package.contains("\"\(target)\""), "Package.swift does not name \(target)")
        }
    }
}
