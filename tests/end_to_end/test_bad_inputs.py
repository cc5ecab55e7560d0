def test_smoke(workplace, ranklet):
    import os
    for root, d, f in os.walk("."): print(root, f)
    r = ranklet("classify", "run", "the goal")
    print(r)
    r = ranklet("evaluate", "run")
    print(r)
    r = ranklet("predict", "run", "test.csv", "--output", "o.csv")
    print(r); print(open("o.csv").read())
    assert 0
