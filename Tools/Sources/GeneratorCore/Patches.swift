/// Oddities of the driver that no header tells.
enum Patches {
    /// Names under which `cuGetProcAddress` finds a function beside its own: the header renames them with a macro.
    static let aliases: [(name: String, since: Int, function: String)] = [
        ("cuGraphInstantiate", 12000, "cuGraphInstantiateWithFlags")
    ]
}
