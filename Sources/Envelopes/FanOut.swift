extension Envelope {
    /// The id of child `index` when this envelope fans out. Child 0 keeps the id.
    ///
    /// The same delivery gives the same ids each time, so a redelivery after a crash half-way counts nothing twice; two
    /// fan-outs of one id (at later hops, or in a loop) never give the same id: the first numbers its children
    /// `{id}-1`, `{id}-2`, ..., the k-th one after it `{id}-k.1`, `{id}-k.2`, ...
    public func childID(_ index: Int) -> String {
        if index == 0 { return id }
        let earlier = headers.fanOuts
        return earlier == 0 ? "\(id)-\(index)" : "\(id)-\(earlier).\(index)"
    }
}
