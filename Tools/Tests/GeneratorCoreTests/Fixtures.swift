import APIModel
import Foundation
import GeneratorCore

/// Files beside the tests.
enum Fixtures {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    static let repository = folder.deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// A small API with one function of each sort.
    static func toy() throws -> APIDescription { try APIDescription(folder: folder.appendingPathComponent("Toy")) }

    /// The description that the repository's code is made from.
    static func real() throws -> APIDescription { try APIDescription(folder: repository.appendingPathComponent("API")) }
}
