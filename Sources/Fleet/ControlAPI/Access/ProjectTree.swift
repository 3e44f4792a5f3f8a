import FleetModel
import FleetStore

/// Reads the tree of projects, for roles that hold for a project and those below it.
struct ProjectTree: Sendable {
    /// Deeper than anybody nests teams; ends circles that an older version let in.
    static let depthMax = 32

    let store: any FleetStore

    /// A project and all above it. A project that does not exist is its own chain.
    func chain(of project: String) async throws -> [String] {
        var chain = [project]
        while chain.count < ProjectTree.depthMax, let parent = try await parent(of: chain[chain.count - 1]) {
            guard !chain.contains(parent) else { break }
            chain.append(parent)
        }
        return chain
    }

    /// The project right above; nil at the top, and for one that does not exist.
    func parent(of project: String) async throws -> String? {
        let reference = ResourceReference(kind: .project, name: project)
        guard let entry = try await storing({ () async throws(StoreError) in try await store.get(reference.storeKey()) })
        else { return nil }
        let document = try ResourceDocument(stored: entry.value, revision: entry.revision.rawValue)
        return document.json["spec"]?["parent"]?.text
    }
}

extension ResourceReference {
    /// The key in the store.
    func storeKey() throws(StoreError) -> StoreKey { try StoreKey(key) }
}
