import FleetModel

/// The name of a replica's place in scheduler and admission: the project and the name that its vGPUs share.
struct PlaceID: Hashable, Comparable {
    let project: String
    /// The name of the first vGPU; those on further nodes have `.p1`, `.p2` behind it.
    let base: String

    init(project: String, base: String) {
        self.project = project
        self.base = base
    }

    init(vgpu reference: ResourceReference) {
        project = reference.project ?? defaultProject
        base = PlaceID.base(of: reference.name)
    }

    init(text: String) {
        let parts = text.split(separator: "/", maxSplits: 1).map(String.init)
        project = parts.first ?? ""
        base = parts.last ?? ""
    }

    var text: String { "\(project)/\(base)" }

    /// The name of a part's vGPU.
    func vgpuName(part: Int) -> String { part == 0 ? base : "\(base).p\(part)" }

    /// The vGPUs that are there, in the order of the parts.
    func vgpus(in view: FleetView) -> [Resource<VirtualGPUSpec>] {
        func vgpu(_ part: Int) -> Resource<VirtualGPUSpec>? {
            view.vgpus[ResourceReference(kind: .virtualGPU, project: project, name: vgpuName(part: part))]
        }
        // Parts end one by one; the first may be gone before the others, and then nobody knows how many there were.
        let count = vgpu(0).map { Int($0.spec.parts ?? 1) } ?? 128
        return (0..<count).compactMap(vgpu)
    }

    private static func base(of name: String) -> String {
        guard let dot = name.lastIndex(of: "."), name[name.index(after: dot)...].first == "p",
            Int(name[dot...].dropFirst(2)) != nil
        else { return name }
        return String(name[..<dot])
    }

    static func < (left: PlaceID, right: PlaceID) -> Bool {
        left.project == right.project ? left.base < right.base : left.project < right.project
    }
}
